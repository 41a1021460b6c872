package loadgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// check looks at what a cohort has in plans of all kinds.
func (c *Cohort) check(f *findings, path string) {
	if c.Users < 0 || c.Users > maxUsers {
		f.add(path+".users", "%d is not within 0 and %d", c.Users, maxUsers)
	}
	checkPairs(f, path+".headers", c.Headers, "\r\n\x00")
	checkPairs(f, path+".cookies", c.Cookies, "\r\n\x00;")
	for i, h := range c.Headers {
		if strings.EqualFold(h.Name, cookieHeader) && len(c.Cookies) > 0 {
			f.add(fmt.Sprintf("%s.headers[%d]", path, i), "a Cookie header beside cookies; put it among the cookies")
		}
	}
	if c.CacheBuster != "" && !isUnreserved(c.CacheBuster) {
		f.add(path+".cacheBuster", "%q is no name of a query parameter; use letters, digits and -._~", c.CacheBuster)
	}
	if c.Bandwidth < 0 {
		f.add(path+".bandwidth", "%d bytes per second is negative; leave it out for no bound", c.Bandwidth)
	}
	if c.Retry != nil {
		c.Retry.check(f, path+".retry")
	}
}

// checkPlanned looks at what a cohort asks for, where no log says it.
func (c *Cohort) checkPlanned(f *findings, path string, routes map[string]Route) {
	if !(c.Share >= 0 && c.Share <= 1) {
		f.add(path+".share", "%g is not within 0 and 1", c.Share)
	}
	if c.Match != nil {
		f.add(path+".match", "is for the lines of a log; give replay, or leave it out")
	}
	switch {
	case c.Mix != nil && c.Zipf != nil, c.Mix != nil && c.Session != nil, c.Zipf != nil && c.Session != nil:
		f.add(path, "has more than one of mix, zipf and session; take one")
	case c.Zipf != nil:
		c.Zipf.check(f, path+".zipf", routes)
	case c.Session != nil:
		c.Session.check(f, path+".session", routes)
	default:
		checkWeights(f, path+".mix", c.Mix, routes, "give at least one, or zipf or session in the place of mix")
	}
	c.checkItems(f, path+".items", routes)
}

// checkWeights wants routes that exist, with weights.
func checkWeights(f *findings, path string, weights map[string]float64, routes map[string]Route, hint string) {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if _, ok := routes[name]; !ok {
			f.add(path, "route %q is not in routes", name)
		}
		weight := weights[name]
		if !(weight >= 0 && weight <= maxRate) {
			f.add(path, "weight %g of route %q is not within 0 and %g", weight, name, maxRate)
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
		f.add(path+".routes", "has %d entries; give 1 to %d, from the most to the least popular", len(z.Routes), maxList)
	}
	seen := map[string]bool{}
	for i, name := range z.Routes {
		at := fmt.Sprintf("%s.routes[%d]", path, i)
		if _, ok := routes[name]; !ok {
			f.add(at, "route %q is not in routes", name)
		}
		if seen[name] {
			f.add(at, "route %q has a rank already", name)
		}
		seen[name] = true
	}
}

func checkExponent(f *findings, path string, e float64) {
	if !(e >= 0 && e <= maxExponent) {
		f.add(path, "%g is not within 0 and %d", e, maxExponent)
	}
}

// asks returns the names of the routes that a cohort can ask for.
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

// checkItems wants items where the cohort asks for some.
func (c *Cohort) checkItems(f *findings, path string, routes map[string]Route) {
	if c.Items != nil {
		c.Items.check(f, path)
		return
	}
	names := c.asks()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] && strings.Contains(routes[name].Path, itemPlaceholder) {
			f.add(path, "is missing: the path of route %q has {item}; say how many items there are", name)
			return
		}
	}
}

func (i *Items) check(f *findings, path string) {
	if i.Count < 1 || i.Count > maxItems {
		f.add(path+".count", "%d is not within 1 and %d", i.Count, maxItems)
	}
	checkExponent(f, path+".exponent", i.Exponent)
	if i.Offset < 0 || i.Offset > maxUsers {
		f.add(path+".offset", "%d is not within 0 and %d", i.Offset, maxUsers)
	}
	if i.Sequential && i.Exponent != 0 {
		f.add(path+".exponent", "%g beside sequential; items that are taken in turn have no popularity", i.Exponent)
	}
}

// checkItems bounds the memory of all tables.
func (w Workload) checkItems(f *findings) {
	sum := 0
	for i, c := range w.Cohorts {
		if c.Items == nil || c.Items.Exponent == 0 {
			continue
		}
		if sum += c.Items.Count; sum > maxTables {
			f.add(fmt.Sprintf("cohorts[%d].items", i), "more than %d items with popularities, over all cohorts", maxTables)
			return
		}
	}
}

func checkPairs(f *findings, path string, pairs []Pair, forbidden string) {
	if len(pairs) > maxPairs {
		f.add(path, "has %d entries; at most %d", len(pairs), maxPairs)
	}
	for i, x := range pairs {
		if !isToken(x.Name) {
			f.add(fmt.Sprintf("%s[%d].name", path, i), "%q is no HTTP token", x.Name)
		}
		if strings.ContainsAny(x.Value, forbidden) {
			f.add(fmt.Sprintf("%s[%d].value", path, i), "%q has a character that ends it on the wire", x.Value)
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
