package dataplane

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/mesh"
)

// cookie is a cookie set by a Set-Cookie header. Clients keep and send it as browsers do, and as the
// jar of the traffic pods does (RFC 6265, sections 5.3 and 5.4). They call services by plain HTTP.
type cookie struct {
	name, value string
	// maxAge is the attribute Max-Age; 0 means until the end of the run, a negative one deletes the
	// cookie (RFC 6265, section 5.2.2).
	maxAge time.Duration
	// path is the attribute Path, "" for the folder of the request. A stored cookie always has one.
	path string
	// domain is the attribute Domain. A stored cookie has the host that set it, the only one that
	// it is sent to: no service's name is within another's.
	domain string
	// secure cookies are not kept, as no answer comes by HTTPS.
	secure bool
	// expires is when a stored cookie expires; 0 means never.
	expires time.Duration
}

// setCookies returns the cookies set by a response filter.
func setCookies(f mesh.HeaderFilter) []cookie {
	var list []cookie
	for _, h := range slices.Concat(f.Set, f.Add) {
		if !strings.EqualFold(h.Name, "Set-Cookie") {
			continue
		}
		pair, attributes, _ := strings.Cut(h.Value, ";")
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			continue
		}
		c := cookie{name: name, value: value, maxAge: maxAge(attributes)}
		for a := range strings.SplitSeq(attributes, ";") {
			switch key, value, _ := strings.Cut(strings.TrimSpace(a), "="); strings.ToLower(key) {
			case "path":
				c.path = value
			case "domain":
				c.domain = strings.ToLower(strings.TrimPrefix(value, "."))
			case "secure":
				c.secure = true
			}
		}
		list = append(list, c)
	}
	return list
}

// from completes a cookie that a host set on a request for a path; ok is false if clients drop it.
func (c cookie) from(host, path string) (kept cookie, ok bool) {
	if c.secure || c.domain != "" && c.domain != host {
		return c, false
	}
	c.domain = host
	if !strings.HasPrefix(c.path, "/") {
		c.path = "/"
		if at := strings.LastIndexByte(path, '/'); at > 0 && path[0] == '/' {
			c.path = path[:at]
		}
	}
	return c, true
}

// sentTo reports whether a stored cookie is sent with a request.
func (c cookie) sentTo(host, path string) bool {
	rest, ok := strings.CutPrefix(cmp.Or(path, "/"), c.path)
	return ok && c.domain == host && (rest == "" || strings.HasSuffix(c.path, "/") || rest[0] == '/')
}

// maxCookieAge bounds Max-Age so that it fits a duration. It outlasts every run.
const maxCookieAge = 365 * 24 * time.Hour

// maxAge returns the value of [cookie].maxAge for a cookie's attributes.
func maxAge(attributes string) time.Duration {
	for a := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(a), "=")
		seconds, err := strconv.Atoi(value)
		if strings.EqualFold(name, "Max-Age") && err == nil {
			if seconds <= 0 {
				return -1
			}
			return time.Duration(min(seconds, int(maxCookieAge/time.Second))) * time.Second
		}
	}
	return 0
}

// storeCookies puts the cookies of a response into the user's jar, those with longer paths first.
func (p *Plane) storeCookies(user uint32, set []cookie, host, path string) {
	jar := p.jars[user]
	changed := false
	for _, c := range set {
		c, ok := c.from(host, path)
		if !ok {
			continue
		}
		at := slices.IndexFunc(jar, func(have cookie) bool {
			return have.name == c.name && have.domain == c.domain && have.path == c.path
		})
		if c.maxAge > 0 {
			c.expires = p.now + c.maxAge
		}
		switch {
		case c.maxAge < 0 && at >= 0:
			jar, changed = slices.Delete(jar, at, at+1), true
		case c.maxAge < 0:
		case at < 0:
			at = slices.IndexFunc(jar, func(have cookie) bool { return len(have.path) < len(c.path) })
			if at < 0 {
				at = len(jar)
			}
			jar, changed = slices.Insert(jar, at, c), true
		default:
			changed = changed || jar[at].value != c.value
			jar[at] = c
		}
	}
	if len(jar) > 0 || changed {
		p.jars[user] = jar
	}
	if changed {
		p.forgetMatches(user)
	}
}

// hasCookies reports whether a user's jar has a cookie, after deleting expired ones.
func (p *Plane) hasCookies(user uint32) bool {
	jar, ok := p.jars[user]
	if !ok {
		return false
	}
	expired := func(c cookie) bool { return c.expires > 0 && c.expires <= p.now }
	if slices.ContainsFunc(jar, expired) {
		jar = slices.DeleteFunc(jar, expired)
		p.jars[user] = jar
		p.forgetMatches(user)
	}
	return len(jar) > 0
}

// forgetMatches deletes the cached matches of a user.
func (p *Plane) forgetMatches(user uint32) {
	for _, s := range p.serviceList {
		for route := range p.workload.Routes {
			delete(s.cache.byUser, uint64(user)<<16|uint64(route))
		}
	}
}

// withCookies adds the cookies of a jar that are sent with a request.
func withCookies(headers []mesh.Header, jar []cookie, host, path string) []mesh.Header {
	var line []string
	for _, c := range jar {
		if c.sentTo(host, path) {
			line = append(line, c.name+"="+c.value)
		}
	}
	if len(line) == 0 {
		return headers
	}
	at := slices.IndexFunc(headers, func(h mesh.Header) bool { return strings.EqualFold(h.Name, "Cookie") })
	if at < 0 {
		headers, at = append(headers, mesh.Header{Name: "Cookie"}), len(headers)
	}
	if headers[at].Value != "" {
		line = append([]string{headers[at].Value}, line...)
	}
	headers[at].Value = strings.Join(line, "; ")
	return headers
}
