package lint

import (
	"fmt"
	"regexp"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/guardrail"
	"coalmine/lab/input/yamlpos"
)

// cookiePair matches the cookie that a regular expression looks for.
var cookiePair = regexp.MustCompile(`([A-Za-z0-9_-]+)=([A-Za-z0-9_-]+)`)

// checkCookieMatch tries conditions on the cookie header against headers that browsers send.
func checkCookieMatch(p *pass, v *flaggerv1.Canary) {
	for i, m := range v.Spec.Analysis.Match {
		for name, cond := range m.Headers {
			if !strings.EqualFold(name, "cookie") {
				continue
			}
			field := yamlpos.Index("spec.analysis.match", i) + ".headers[" + guardrail.Clip(name) + "]"
			if cond.Exact != "" {
				p.warn(field+".exact", "matches only browsers that send no other cookie",
					"use a regular expression such as "+cookieRegex(cond.Exact))
			} else if message, hint := cookieProblem(cond.Regex); message != "" {
				p.warn(field+".regex", message, hint)
			}
		}
	}
}

func cookieRegex(pair string) string { return `^(.*;\s*)?` + regexp.QuoteMeta(pair) + `(;.*)?$` }

// cookieProblem returns a cookie header that the regular expression wrongly accepts or rejects, as
// a message with a hint, or "" if it finds none.
func cookieProblem(expr string) (message, hint string) {
	whole, err := regexp.Compile(`^(?:` + expr + `)$`)
	pair := cookiePair.FindString(expr)
	if err != nil || pair == "" {
		return "", ""
	}
	hint = "write " + cookieRegex(pair)
	for _, header := range []string{pair, "a=1; " + pair, pair + "; a=1", "a=1; " + pair + "; b=2"} {
		if !whole.MatchString(header) {
			return fmt.Sprintf("does not match the cookie header %q: a regular expression must match the whole value",
				header), hint
		}
	}
	for _, header := range []string{"x" + pair, pair + "x"} {
		if whole.MatchString(header) {
			return fmt.Sprintf("also matches the cookie header %q, which is a different cookie", header), hint
		}
	}
	return "", ""
}
