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

// Limits of what is stored: users per generation, and cookies per user and bytes per cookie no more
// than RFC 6265, section 6.1, asks for.
const (
	maxJarUsers    = 1 << 16
	maxUserCookies = 50
	maxCookieBytes = 4096
)

// jar stores the cookies that servers set, by user. A user starts with the plan's cookies, which
// are sent to every host. A cookie that a server sets replaces the plan's cookie of the same name
// on that server, and one that it deletes is removed.
//
// To bound the memory, users that have not been used for long are forgotten: a user moves to the
// young generation when it is used, and when that is full the old generation is dropped.
type jar struct {
	// used is false until the first cookie is set, so that plans without cookies cost nothing.
	used atomic.Bool
	now  func() time.Time

	mu         sync.Mutex
	limit      int
	young, old map[uint32][]cookie
}

// cookie is a cookie set by a server.
type cookie struct {
	name, value string
	// domain is the host to which the cookie is sent, or the suffix of the hosts unless hostOnly.
	domain, path     string
	hostOnly, secure bool
	// expires is zero for a session cookie. An expired cookie still hides the plan's cookie of its
	// name.
	expires time.Time
}

func newJar() *jar { return &jar{now: time.Now, limit: maxJarUsers, young: make(map[uint32][]cookie)} }

// get returns a user's cookies. They are immutable.
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

// mergeCookies replaces planned cookies by those of the same name that match the request, and
// appends the others.
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

// text returns the cookie as sent, or "" if it has expired.
func (c *cookie) text(now time.Time) string {
	if !c.expires.IsZero() && !now.Before(c.expires) {
		return ""
	}
	return c.name + "=" + c.value
}

// matches reports whether a cookie is sent with a request (RFC 6265, section 5.4). Ports are
// ignored. As in browsers, the local host counts as secure.
func (c *cookie) matches(req *http.Request) bool {
	host := hostOf(req)
	if host != c.domain && (c.hostOnly || !domainMatches(host, c.domain)) || c.secure && req.URL.Scheme != "https" &&
		!isLocal(host) {
		return false
	}
	path := req.URL.Path
	if path == "" {
		path = "/"
	}
	rest, ok := strings.CutPrefix(path, c.path)
	return ok && (rest == "" || strings.HasSuffix(c.path, "/") || rest[0] == '/')
}

// domainMatches reports whether host is domain or a subdomain of it.
func domainMatches(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// hostOf returns the host of a request: its Host header, or that of its URL.
func hostOf(req *http.Request) string {
	u := *req.URL
	if req.Host != "" {
		u.Host = req.Host
	}
	return strings.ToLower(u.Hostname())
}

// store stores the cookies that a response sets.
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

// parse converts a cookie as a client does (RFC 6265, section 5.3). It returns false if the cookie
// is to be ignored. There is no public suffix list: of domains only those without a dot are
// rejected.
func (j *jar) parse(c *http.Cookie, req *http.Request) (cookie, bool) {
	host := hostOf(req)
	k := cookie{name: c.Name, value: c.Value, domain: host, hostOnly: true, path: c.Path, secure: c.Secure,
		expires: c.Expires}
	if c.Quoted {
		k.value = `"` + c.Value + `"`
	}
	if domain := strings.ToLower(strings.TrimPrefix(c.Domain, ".")); domain != "" && !isAddress(host) &&
		strings.Contains(domain, ".") {
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

// isAddress reports whether host is an IP address.
func isAddress(host string) bool {
	return strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == ""
}

func isLocal(host string) bool {
	return domainMatches(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// defaultPath returns the default path of a cookie (RFC 6265, section 5.1.4).
func defaultPath(path string) string {
	if at := strings.LastIndexByte(path, '/'); at > 0 && path[0] == '/' {
		return path[:at]
	}
	return "/"
}

// addTo replaces the cookie of the same name, domain and path, or inserts a new one before those
// with shorter paths. If there are too many, it removes expired ones first, then the oldest of the
// shortest path.
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
