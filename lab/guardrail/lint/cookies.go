package guardrail

import (
	"fmt"
	"regexp"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
)

// cookiePair finds the cookie that a regex is after.
var cookiePair = regexp.MustCompile(`([A-Za-z0-9_-]+)=([A-Za-z0-9_-]+)`)

// lintCookieMatch tries the conditions on the cookie header with headers that browsers send.
func lintCookieMatch(s *lintTarget, v *flaggerv1.Canary) {
	for i, m := range v.Spec.Analysis.Match {
		for name, cond := range m.Headers {
			if !strings.EqualFold(name, "cookie") {
				continue
			}
			field := indexPath("spec.analysis.match", i) + ".headers[" + clip(name) + "]"
			if cond.Exact != "" {
				s.warn(field+".exact", "matches only browsers with no other cookie", "use a regex, as in "+cookieRegex(cond.Exact))
			} else if what, todo := cookieProblem(cond.Regex); what != "" {
				s.warn(field+".regex", what, todo)
			}
		}
	}
}

func cookieRegex(pair string) string { return `^(.*;\s*)?` + regexp.QuoteMeta(pair) + `(;.*)?$` }

// cookieProblem finds a cookie header that the regex should match and does not, or the other way round.
func cookieProblem(expr string) (what, todo string) {
	whole, err := regexp.Compile(`^(?:` + expr + `)$`)
	pair := cookiePair.FindString(expr)
	if err != nil || pair == "" {
		return "", ""
	}
	todo = "write it as " + cookieRegex(pair)
	for _, header := range []string{pair, "a=1; " + pair, pair + "; a=1", "a=1; " + pair + "; b=2"} {
		if !whole.MatchString(header) {
			return fmt.Sprintf("does not match the cookie header %q: a regex must match the whole value", header), todo
		}
	}
	for _, header := range []string{"x" + pair, pair + "x"} {
		if whole.MatchString(header) {
			return fmt.Sprintf("also matches the cookie header %q, which is another cookie", header), todo
		}
	}
	return "", ""
}
