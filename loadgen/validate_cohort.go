package loadgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// check validates the fields of a cohort that all kinds of plans use.
func (c *Cohort) check(f *findings, path string) {
	if c.Users < 0 || c.Users > maxUsers {
		f.add(path+".users", "%d is not between 0 and %d", c.Users, maxUsers)
	}
	checkPairs(f, path+".headers", c.Headers, "\r\n\x00")
	checkPairs(f, path+".cookies", c.Cookies, "\r\n\x00;")
	for i, h := range c.Headers {
		if strings.EqualFold(h.Name, cookieHeader) && len(c.Cookies) > 0 {
			f.add(fmt.Sprintf("%s.headers[%d]", path, i), "is a Cookie header, but the cohort also has cookies; move "+
				"it to cookies")
		}
	}
	if c.CacheBuster != "" && !isUnreserved(c.CacheBuster) {
		f.add(path+".cacheBuster", "%q is not a valid query parameter name; use letters, digits and -._~",
			c.CacheBuster)
	}
	if c.Bandwidth < 0 {
		f.add(path+".bandwidth", "%d bytes per second is negative; omit it for no limit", c.Bandwidth)
	}
	if c.Retry != nil {
		c.Retry.check(f, path+".retry")
	}
}

// checkPlanned validates what a cohort requests, for plans that replay no log.
func (c *Cohort) checkPlanned(f *findings, path string, routes map[string]Route) {
	if !(c.Share >= 0 && c.Share <= 1) {
		f.add(path+".share", "%g is not between 0 and 1", c.Share)
	}
	if c.Match != nil {
		f.add(path+".match", "only applies to a replayed log; add replay or remove match")
	}
	switch {
	case c.Mix != nil && c.Zipf != nil, c.Mix != nil && c.Session != nil, c.Zipf != nil && c.Session != nil:
		f.add(path, "has more than one of mix, zipf and session; keep one")
	case c.Zipf != nil:
		c.Zipf.check(f, path+".zipf", routes)
	case c.Session != nil:
		c.Session.check(f, path+".session", routes)
	default:
		checkWeights(f, path+".mix", c.Mix, routes, "set at least one, or use zipf or session instead of mix")
	}
	c.checkItems(f, path+".items", routes)
}

// checkWeights checks that routes exist and weights are usable.
func checkWeights(f *findings, path string, weights map[string]float64, routes map[string]Route, hint string) {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if _, ok := routes[name]; !ok {
			f.add(path, "route %q is not in routes", name)
		}
		weight := weights[name]
		if !(weight >= 0 && weight <= maxRate) {
			f.add(path, "weight %g of route %q is not between 0 and %g", weight, name, maxRate)
		}
		sum += weight
	}
	if sum == 0 {
		f.add(path, "no route has a weight; %s", hint)
	}
}

func (z *Zipf) check(f *findings, path string, routes map[string]Route) {
	checkExponent(f, path+".exponent", z.Exponent)
	if len(z.Routes) == 0 || len(z.Routes) > maxList {
		f.add(path+".routes", "has %d entries; write 1 to %d, from the most to the least popular",
			len(z.Routes), maxList)
	}
	seen := map[string]bool{}
	for i, name := range z.Routes {
		at := fmt.Sprintf("%s.routes[%d]", path, i)
		if _, ok := routes[name]; !ok {
			f.add(at, "route %q is not in routes", name)
		}
		if seen[name] {
			f.add(at, "route %q is a duplicate", name)
		}
		seen[name] = true
	}
}

func checkExponent(f *findings, path string, e float64) {
	if !(e >= 0 && e <= maxExponent) {
		f.add(path, "%g is not between 0 and %d", e, maxExponent)
	}
}

// asks returns the names of the routes that a cohort can request.
func (c *Cohort) asks() map[string]bool {
	names := map[string]bool{}
	add := func(weights map[string]float64) {
		for name, w := range weights {
			names[name] = names[name] || w > 0
		}
	}
	add(c.Mix)
	if c.Zipf != nil {
		for _, name := range c.Zipf.Routes {
			names[name] = true
		}
	}
	if c.Session != nil {
		add(c.Session.Start)
		for _, weights := range c.Session.Next {
			add(weights)
		}
	}
	return names
}

// checkItems checks that a cohort has items if it requests routes with {item}.
func (c *Cohort) checkItems(f *findings, path string, routes map[string]Route) {
	if c.Items != nil {
		c.Items.check(f, path)
		return
	}
	names := c.asks()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if part := routes[name].itemPart(); names[name] && part != "" {
			f.add(path, "is missing: the %s of route %q contains {item}; set items.count", part, name)
			return
		}
	}
}

func (i *Items) check(f *findings, path string) {
	if i.Count < 1 || i.Count > maxItems {
		f.add(path+".count", "%d is not between 1 and %d", i.Count, maxItems)
	}
	checkExponent(f, path+".exponent", i.Exponent)
	if i.Offset < 0 || i.Offset > maxUsers {
		f.add(path+".offset", "%d is not between 0 and %d", i.Offset, maxUsers)
	}
	if i.Sequential && i.Exponent != 0 {
		f.add(path+".exponent", "%g cannot be combined with sequential; items requested in sequence have no "+
			"popularity", i.Exponent)
	}
}

// checkItems bounds the memory of all popularity tables.
func (w Workload) checkItems(f *findings) {
	sum := 0
	for i, c := range w.Cohorts {
		if c.Items == nil || c.Items.Exponent == 0 {
			continue
		}
		if sum += c.Items.Count; sum > maxTables {
			f.add(fmt.Sprintf("cohorts[%d].items", i), "more than %d items with an exponent, over "+
				"all cohorts", maxTables)
			return
		}
	}
}

func checkPairs(f *findings, path string, pairs []Pair, forbidden string) {
	if len(pairs) > maxPairs {
		f.add(path, "has %d entries; the maximum is %d", len(pairs), maxPairs)
	}
	for i, x := range pairs {
		if !isToken(x.Name) {
			f.add(fmt.Sprintf("%s[%d].name", path, i), "%q is not an HTTP token", x.Name)
		}
		if strings.ContainsAny(x.Value, forbidden) || strings.ContainsFunc(x.Value, isControl) {
			f.add(fmt.Sprintf("%s[%d].value", path, i),
				"%q contains a character that is not allowed in a header", x.Value)
		}
	}
}

// isUnreserved follows RFC 3986, section 2.3.
func isUnreserved(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && !strings.ContainsRune("-._~", rune(s[i])) {
			return false
		}
	}
	return s != ""
}

// isControl reports whether a character is not allowed in the value of a header (RFC 9110, section
// 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
