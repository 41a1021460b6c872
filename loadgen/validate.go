package loadgen

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Bounds of a workload. The bound on user numbers leaves room for cohorts with a new user per
// arrival.
const (
	maxList     = 1000
	maxPairs    = 64
	maxUsers    = 1 << 31
	maxRate     = 1e7
	maxExponent = 10
	maxText     = 1000
	maxBody     = 1 << 20                // bytes
	maxDuration = time.Duration(1 << 62) // 146 years, so that sums do not overflow
)

// findings collects validation errors, each with the path of its field.
type findings []error

func (f *findings) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// Validate returns all validation errors, joined, each starting with the path of its field; nil
// means that a plan can be made. The lines of a log need not have been read yet.
func (w Workload) Validate() error {
	var f findings
	if w.Replay == nil {
		w.Rate.check(&f, "rate")
	} else {
		w.checkReplay(&f)
	}
	if w.Bursts != nil {
		w.Bursts.check(&f, "bursts", w.Rate)
	}
	checkRoutes(&f, w.Routes, w.Replay != nil)
	checkCohorts(&f, w.Cohorts)
	names := routeNames(w.Routes)
	for i := range w.Cohorts {
		c, path := &w.Cohorts[i], fmt.Sprintf("cohorts[%d]", i)
		c.check(&f, path)
		if w.Replay != nil {
			c.checkReplayed(&f, path)
		} else {
			c.checkPlanned(&f, path, names)
		}
	}
	if w.Replay == nil {
		w.checkShares(&f)
		w.checkItems(&f)
		if len(f) == 0 {
			w.checkActiveSessions(&f)
		}
	}
	return errors.Join(f...)
}

// checkDuration checks that a plan can have this duration.
func (w Workload) checkDuration(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("duration: %v is negative; write 0s or more", d)
	}
	if d > maxDuration {
		return fmt.Errorf("duration: %v is too long; the maximum is %v", d, maxDuration)
	}
	if b := w.Bursts; b != nil && int(d/(b.Calm+b.Burst)) > maxBursts/len(w.Cohorts) {
		return fmt.Errorf("duration: %v contains more than %d bursts; make the bursts longer or the plan shorter", d,
			maxBursts/len(w.Cohorts))
	}
	return nil
}

// withDefaults returns a copy with defaults filled in.
func (w Workload) withDefaults() Workload {
	w.Routes, w.Cohorts = slices.Clone(w.Routes), slices.Clone(w.Cohorts)
	for i := range w.Routes {
		w.Routes[i].Method = cmp.Or(w.Routes[i].Method, defaultMethod)
	}
	return w
}

// routeNames returns the routes by name.
func routeNames(routes []Route) map[string]Route {
	names := map[string]Route{}
	for _, r := range routes {
		names[r.Name] = r
	}
	return names
}

func checkRoutes(f *findings, routes []Route, replay bool) {
	if len(routes) > maxList || len(routes) == 0 && !replay {
		f.add("routes", "has %d entries; write 1 to %d", len(routes), maxList)
	}
	seen := map[string]bool{}
	for i, r := range routes {
		path := fmt.Sprintf("routes[%d]", i)
		checkName(f, path, r.Name, seen)
		checkPath(f, path+".path", r.Path, replay)
		if r.Method != "" && !isToken(r.Method) {
			f.add(path+".method", "%q is not an HTTP method", r.Method)
		}
		checkRouteHeaders(f, path+".headers", r.Headers)
		if len(r.Body) > maxBody {
			f.add(path+".body", "has %d bytes; the maximum is %d", len(r.Body), maxBody)
		}
	}
}

// checkRouteHeaders refuses what belongs to users, and items, which headers cannot have.
func checkRouteHeaders(f *findings, path string, headers []Pair) {
	checkPairs(f, path, headers, "\r\n\x00")
	for i, h := range headers {
		at := fmt.Sprintf("%s[%d]", path, i)
		if strings.EqualFold(h.Name, cookieHeader) {
			f.add(at+".name", "is %s; users have cookies, routes have none: move it to the cookies of the cohorts",
				h.Name)
		}
		if strings.Contains(h.Value, itemPlaceholder) {
			f.add(at+".value", "%q contains {item}, which is replaced in paths and bodies only; use {user}, or move "+
				"the item", h.Value)
		}
	}
}

// checkPath checks for a request target in origin form (RFC 9112, section 3.2.1), which may contain
// {item} and {user}, and end in a star.
func checkPath(f *findings, path, text string, replay bool) {
	before, _, _ := strings.Cut(text, "?")
	plain := strings.NewReplacer(itemPlaceholder, "", userPlaceholder, "").Replace(text)
	star := strings.HasSuffix(before, "*")
	switch strange := strings.IndexFunc(plain, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`#{}`, r)
	}); {
	case !strings.HasPrefix(text, "/"):
		f.add(path, "%q does not start with /", text)
	case strange >= 0 && strings.ContainsAny(plain[strange:strange+1], "{}"):
		f.add(path, "%q contains a brace; {item} and {user} are the only placeholders in a path, write other "+
			"braces as %%7B and %%7D", text)
	case strange >= 0:
		f.add(path, "%q contains %q, which is not allowed in a request target; write it as %%%02X", text,
			plain[strange], plain[strange])
	case strings.Count(before, itemPlaceholder) > 1:
		f.add(path, "%q contains {item} more than once before the query", text)
	case strings.Count(before, userPlaceholder) > 1:
		f.add(path, "%q contains {user} more than once before the query", text)
	case shareSegment(before):
		f.add(path, "%q contains {item} and {user} in one part of the path; put a / between them", text)
	case star && strings.Contains(before, itemPlaceholder):
		f.add(path, "%q contains {item} and ends in *; use only one of them", text)
	case star && strings.Contains(before, userPlaceholder):
		f.add(path, "%q contains {user} and ends in *; use only one of them", text)
	case star && !replay:
		f.add(path, "%q ends in *, which only works with replay; write a full path", text)
	}
}

// shareSegment reports whether both placeholders are in the same segment of a path, where it would
// be unclear which of them matches what.
func shareSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool {
		return strings.Contains(s, itemPlaceholder) && strings.Contains(s, userPlaceholder)
	})
}

func checkCohorts(f *findings, cohorts []Cohort) {
	if len(cohorts) == 0 || len(cohorts) > maxList {
		f.add("cohorts", "has %d entries; write 1 to %d", len(cohorts), maxList)
		return
	}
	users, seen := 0, map[string]bool{}
	for i, c := range cohorts {
		checkName(f, fmt.Sprintf("cohorts[%d]", i), c.Name, seen)
		if c.Users > 0 {
			users = min(users+c.Users, maxUsers+1)
		}
	}
	if users > maxUsers {
		f.add("cohorts", "more than %d users in total; omit users to get a new user per request or session", maxUsers)
	}
}

// checkName checks that a name is valid and not a duplicate.
func checkName(f *findings, path, name string, seen map[string]bool) {
	switch {
	case name == "":
		f.add(path+".name", "is empty")
	case len(name) > maxText || strings.ContainsFunc(name, unicode.IsControl):
		f.add(path+".name", "%.60q is too long or contains a control character", name)
	case seen[name]:
		f.add(path+".name", "%q is a duplicate", name)
	}
	seen[name] = true
}

// checkShares checks that shares sum to 1.
func (w Workload) checkShares(f *findings) {
	if len(w.Cohorts) == 0 {
		return
	}
	sum, claims := 0.0, []string{}
	for _, c := range w.Cohorts {
		sum += c.Share
		if c.Share > 0 && len(claims) < 8 {
			claims = append(claims, fmt.Sprintf("%s has %g", c.Name, c.Share))
		}
	}
	switch list := strings.Join(claims, ", "); {
	case sum > 1+1e-6:
		f.add("cohorts", "shares sum to %.6g, so cohorts overlap: %s; make them sum to 1", sum, list)
	case !(math.Abs(sum-1) <= 1e-6):
		f.add("cohorts", "shares sum to %.6g, so some requests belong to no cohort: %s; make them sum to 1", sum, list)
	}
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
