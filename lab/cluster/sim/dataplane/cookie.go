package dataplane

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/mesh"
)

// cookie is a cookie set by a Set-Cookie header.
type cookie struct {
	name, value string
	// maxAge is the attribute Max-Age; 0 means until the end of the run, a negative one deletes the
	// cookie (RFC 6265, section 5.2.2).
	maxAge time.Duration
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
		if ok {
			list = append(list, cookie{name: name, value: value, maxAge: maxAge(attributes)})
		}
	}
	return list
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

// storeCookies puts the cookies of a response into the user's jar.
func (p *Plane) storeCookies(user uint32, set []cookie) {
	jar := p.jars[user]
	changed := false
	for _, c := range set {
		at := slices.IndexFunc(jar, func(have cookie) bool { return have.name == c.name })
		if c.maxAge > 0 {
			c.expires = p.now + c.maxAge
		}
		switch {
		case c.maxAge < 0 && at >= 0:
			jar, changed = slices.Delete(jar, at, at+1), true
		case c.maxAge < 0:
		case at < 0:
			jar, changed = append(jar, c), true
		default:
			changed = changed || jar[at].value != c.value
			jar[at] = c
		}
	}
	p.jars[user] = jar
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

func withCookies(headers []mesh.Header, jar []cookie) []mesh.Header {
	if len(jar) == 0 {
		return headers
	}
	at := slices.IndexFunc(headers, func(h mesh.Header) bool { return strings.EqualFold(h.Name, "Cookie") })
	if at < 0 {
		headers, at = append(headers, mesh.Header{Name: "Cookie"}), len(headers)
	}
	for _, c := range jar {
		if headers[at].Value != "" {
			headers[at].Value += "; "
		}
		headers[at].Value += c.name + "=" + c.value
	}
	return headers
}
