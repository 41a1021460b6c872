package attack

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what is kept of cookies: a generation of users, and for each no more than RFC 6265, section 6.1, asks for.
const (
	maxJarUsers    = 1 << 16
	maxUserCookies = 50
	maxCookieBytes = 4096
)

// jar keeps the cookies that servers set, user by user. A user begins with the plan's cookies, which go to every host; what a
// server sets under the name of one of them takes its place there, and what a server takes away is gone.
//
// When there are many users, those to whom nothing was set or sent for long are forgotten: users move to the young generation
// when they are needed, and when that is full the old one goes.
type jar struct {
	// used is false until the first cookie is set, so that those who have none do not pay.
	used atomic.Bool
	now  func() time.Time

	mu         sync.Mutex
	limit      int
	young, old map[uint32][]cookie
}

// cookie is one that a server set.
type cookie struct {
	name, value string
	// domain is the only host that it goes to, or all that end in it.
	domain, path     string
	hostOnly, secure bool
	// expires is zero for never. A cookie that is over still hides the plan's of its name.
	expires time.Time
}

func newJar() *jar { return &jar{now: time.Now, limit: maxJarUsers, young: make(map[uint32][]cookie)} }

// get returns a user's cookies. They are never changed, only replaced.
func (j *jar) get(user uint32) []cookie {
	list, ok := j.young[user]
	if !ok {
		if list, ok = j.old[user]; ok {
			j.put(user, list)
		}
	}
	return list
}

func (j *jar) put(user uint32, list []cookie) {
	if _, ok := j.young[user]; !ok && len(j.young) >= j.limit {
		j.old, j.young = j.young, make(map[uint32][]cookie)
	}
	j.young[user] = list
}

// apply merges a user's cookies with those that the plan has put on a request.
func (j *jar) apply(user uint32, req *http.Request) {
	if !j.used.Load() {
		return
	}
	j.mu.Lock()
	list := j.get(user)
	j.mu.Unlock()
	if len(list) == 0 {
		return
	}
	planned := ""
	if h := req.Header[cookieHeader]; len(h) > 0 {
		planned = h[0]
	}
	if line := mergeCookies(planned, list, req, j.now()); line != "" {
		req.Header[cookieHeader] = []string{line}
	} else {
		delete(req.Header, cookieHeader)
	}
}

// mergeCookies puts the cookies that go with a request in the place of the planned ones of the same name, the others after them.
func mergeCookies(planned string, list []cookie, req *http.Request, now time.Time) string {
	var line []string
	used := make([]bool, len(list))
	for one := range strings.SplitSeq(planned, ";") {
		one = strings.TrimSpace(one)
		name, _, _ := strings.Cut(one, "=")
		at := slices.IndexFunc(list, func(c cookie) bool { return c.name == name && c.matches(req) })
		if at >= 0 {
			used[at] = true
			one = list[at].text(now)
		}
		if one != "" {
			line = append(line, one)
		}
	}
	for i, c := range list {
		if used[i] || !c.matches(req) {
			continue
		}
		if one := c.text(now); one != "" {
			line = append(line, one)
		}
	}
	return strings.Join(line, "; ")
}

// text is how a cookie is sent, "" when it is over.
func (c *cookie) text(now time.Time) string {
	if !c.expires.IsZero() && !now.Before(c.expires) {
		return ""
	}
	return c.name + "=" + c.value
}

// matches tells whether a cookie goes with a request (RFC 6265, section 5.4). Ports do not matter. As for browsers, this machine itself
// is a secure place.
func (c *cookie) matches(req *http.Request) bool {
	host := hostOf(req)
	if host != c.domain && (c.hostOnly || !domainMatches(host, c.domain)) || c.secure && req.URL.Scheme != "https" && !isLocal(host) {
		return false
	}
	path := req.URL.Path
	if path == "" {
		path = "/"
	}
	rest, ok := strings.CutPrefix(path, c.path)
	return ok && (rest == "" || strings.HasSuffix(c.path, "/") || rest[0] == '/')
}

// domainMatches tells whether a host is a domain or in it.
func domainMatches(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// hostOf is who a request is for, by its Host header if it has one.
func hostOf(req *http.Request) string {
	u := *req.URL
	if req.Host != "" {
		u.Host = req.Host
	}
	return strings.ToLower(u.Hostname())
}

// store stores what an answer sets.
func (j *jar) store(user uint32, req *http.Request, resp *http.Response) {
	if len(resp.Header["Set-Cookie"]) == 0 {
		return
	}
	var news []cookie
	for _, c := range resp.Cookies() {
		if k, ok := j.parse(c, req); ok {
			news = append(news, k)
		}
	}
	if len(news) == 0 {
		return
	}
	j.used.Store(true)
	j.mu.Lock()
	defer j.mu.Unlock()
	list := slices.Clone(j.get(user))
	for _, c := range news {
		list = c.addTo(list, j.now())
	}
	j.put(user, list)
}

// parse takes what a client keeps of a cookie (RFC 6265, section 5.3); false for one that it does not take. There is no list of
// public suffixes here: of domains only those without a dot are refused.
func (j *jar) parse(c *http.Cookie, req *http.Request) (cookie, bool) {
	host := hostOf(req)
	k := cookie{name: c.Name, value: c.Value, domain: host, hostOnly: true, path: c.Path, secure: c.Secure, expires: c.Expires}
	if c.Quoted {
		k.value = `"` + c.Value + `"`
	}
	if domain := strings.ToLower(strings.TrimPrefix(c.Domain, ".")); domain != "" && !isAddress(host) && strings.Contains(domain, ".") {
		if !domainMatches(host, domain) {
			return k, false
		}
		k.domain, k.hostOnly = domain, false
	} else if domain != "" && domain != host {
		return k, false
	}
	if !strings.HasPrefix(k.path, "/") {
		k.path = defaultPath(req.URL.Path)
	}
	switch {
	case c.MaxAge > 0:
		k.expires = j.now().Add(time.Duration(min(c.MaxAge, 400*24*3600)) * time.Second)
	case c.MaxAge < 0:
		k.expires = time.Unix(1, 0)
	}
	return k, len(k.name)+len(k.value) <= maxCookieBytes
}

// isAddress tells IP addresses from names.
func isAddress(host string) bool {
	return strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == ""
}

func isLocal(host string) bool {
	return domainMatches(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// defaultPath is the default path (RFC 6265, section 5.1.4).
func defaultPath(path string) string {
	if at := strings.LastIndexByte(path, '/'); at > 0 && path[0] == '/' {
		return path[:at]
	}
	return "/"
}

// addTo replaces the cookie of the same name, domain and path, or puts a new one before those of shorter paths. When there are too
// many, those that are over go first, then the oldest of the shortest path.
func (c cookie) addTo(list []cookie, now time.Time) []cookie {
	at := slices.IndexFunc(list, func(o cookie) bool {
		return o.name == c.name && o.path == c.path && o.domain == c.domain
	})
	if at >= 0 {
		list[at] = c
		return list
	}
	if len(list) >= maxUserCookies {
		gone := slices.IndexFunc(list, func(o cookie) bool { return o.text(now) == "" })
		if gone < 0 {
			gone = slices.IndexFunc(list, func(o cookie) bool { return len(o.path) == len(list[len(list)-1].path) })
		}
		list = slices.Delete(list, gone, gone+1)
	}
	at = slices.IndexFunc(list, func(o cookie) bool { return len(o.path) < len(c.path) })
	if at < 0 {
		at = len(list)
	}
	return slices.Insert(list, at, c)
}
