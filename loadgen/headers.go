package loadgen

import (
	"slices"
	"strconv"
	"strings"

	"coalmine/loadgen/rng"
)

// userPlaceholder stands for the user's number in a path or body, or in the value of a header or
// cookie.
const userPlaceholder = "{user}"

// agentHeader identifies the client's software (RFC 9110, section 10.1.5).
const agentHeader = "User-Agent"

// PerUser reports whether headers or cookies of a cohort differ between its users.
func (p *Plan) PerUser(cohort uint16) bool {
	return p.workload.Cohorts[cohort].perUser() || p.hasAgents(cohort)
}

// hasAgents reports whether users of a cohort send the agents of a log.
func (p *Plan) hasAgents(cohort uint16) bool {
	return len(p.agents) > 0 && !slices.ContainsFunc(p.workload.Cohorts[cohort].Headers, func(x Pair) bool {
		return strings.EqualFold(x.Name, agentHeader)
	})
}

func (c Cohort) perUser() bool {
	marked := func(x Pair) bool { return strings.Contains(x.Value, userPlaceholder) }
	return c.ShuffleCookies && len(c.Cookies) > 1 || slices.ContainsFunc(c.Headers, marked) ||
		slices.ContainsFunc(c.Cookies, marked)
}

// computeFixedHeaders computes the headers of cohorts whose users all send the same.
func (p *Plan) computeFixedHeaders() {
	p.fixedHeaders = make([][]Pair, len(p.workload.Cohorts))
	for i, c := range p.workload.Cohorts {
		if !c.perUser() {
			p.fixedHeaders[i] = p.headers(c, 0)
		}
	}
}

// Headers returns what a user of a cohort sends with each request: the headers, then the cookies as
// one Cookie header, then the user agent of a replayed log unless the cohort has one. The caller
// must not change it.
func (p *Plan) Headers(cohort uint16, user uint32) []Pair {
	list := p.fixedHeaders[cohort]
	if c := p.workload.Cohorts[cohort]; c.perUser() {
		list = p.headers(c, user)
	}
	if p.hasAgents(cohort) && int(user) < len(p.agents) && p.agents[user] != "" {
		list = append(slices.Clip(list), Pair{agentHeader, p.agents[user]})
	}
	return list
}

func (p *Plan) headers(c Cohort, user uint32) []Pair {
	list := make([]Pair, 0, len(c.Headers)+1)
	for _, h := range c.Headers {
		list = append(list, h.expand(user))
	}
	if len(c.Cookies) > 0 {
		list = append(list, Pair{cookieHeader, p.cookieLine(c, user)})
	}
	return list
}

// expand replaces the placeholder by the user's number.
func (x Pair) expand(user uint32) Pair {
	if strings.Contains(x.Value, userPlaceholder) {
		x.Value = strings.ReplaceAll(x.Value, userPlaceholder, strconv.FormatUint(uint64(user), 10))
	}
	return x
}

// cookieHeader carries all cookies of a request (RFC 6265, section 4.2).
const cookieHeader = "Cookie"

// cookieLine joins the cookies, in the order of the cohort or of the user.
func (p *Plan) cookieLine(c Cohort, user uint32) string {
	var line strings.Builder
	for i, at := range p.cookieOrder(c, user) {
		if i > 0 {
			line.WriteString("; ")
		}
		x := c.Cookies[at].expand(user)
		line.WriteString(x.Name + "=" + x.Value)
	}
	return line.String()
}

// cookieOrder returns a Fisher-Yates shuffle drawn from the seed and the user.
func (p *Plan) cookieOrder(c Cohort, user uint32) []int {
	order := make([]int, len(c.Cookies))
	for i := range order {
		order[i] = i
	}
	for i := len(order) - 1; c.ShuffleCookies && i > 0; i-- {
		j := rng.Below(p.cookieShuffle.Bits(uint64(user)*maxPairs+uint64(i)), uint64(i)+1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// Header returns the value of one header, including Cookie, or "" if it is not set. Names are
// case-insensitive.
func (p *Plan) Header(cohort uint16, user uint32, name string) string {
	for _, h := range p.Headers(cohort, user) {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Cookie returns the value of one cookie, or "" if it is not set. Names are case-sensitive.
func (p *Plan) Cookie(cohort uint16, user uint32, name string) string {
	for _, c := range p.workload.Cohorts[cohort].Cookies {
		if c.Name == name {
			return c.expand(user).Value
		}
	}
	return ""
}
