package guardrail

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// regexSize estimates how many instructions and character ranges the compiled regular expression
// has, without compiling it: "(a|b){0,999}" is short and large.
func regexSize(expr string) (int, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return nodeSize(re), nil
}

func nodeSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		size += nodeSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return min(size, 1<<30)
}

// regexProblem returns what is wrong with a regular expression of the guardrails, or "". It does
// not compile an expression that is too large.
func (c *checker) regexProblem(expr string) (message, hint string) {
	if len(expr) > MaxRegexLength {
		return fmt.Sprintf("is longer than %d bytes", MaxRegexLength), "shorten it"
	}
	size, err := regexSize(expr)
	if err != nil {
		return Clip(strings.TrimPrefix(err.Error(), "error parsing regexp: ")),
			"write a regular expression in RE2 syntax"
	}
	c.regexSize += size
	switch {
	case size > MaxRegexSize:
		return fmt.Sprintf("is too costly: it has over %d instructions when compiled", MaxRegexSize),
			"lower the counts in {…}"
	case c.regexSize > MaxTotalRegexSize:
		return "is one too many: the regular expressions of all manifests are too costly", oneExercise
	}
	if _, err := regexp.Compile(expr); err != nil {
		return Clip(strings.TrimPrefix(err.Error(), "error parsing regexp: ")),
			"write a regular expression in RE2 syntax"
	}
	return "", ""
}

// checkRegex checks a regular expression that a proxy would evaluate.
func (c *checker) checkRegex(d *document, path, expr string) {
	if message, hint := c.regexProblem(expr); message != "" {
		c.fail(d, path, message, hint)
	}
}

// checkRouteRegex checks a regular expression of an HTTPRoute, which Linkerd's webhook compiles as
// its proxies do.
func (c *checker) checkRouteRegex(d *document, path, expr string) {
	message, hint := c.regexProblem(expr)
	if message == "" {
		return
	}
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		message = "Linkerd refuses it: regex parse error: " + rustProblem(message, expr)
	}
	c.fail(d, path, message, hint)
}

// rustProblem returns the error of Rust's regex package for features that it lacks, as Go's does;
// for other errors it is Go's.
func rustProblem(problem, expr string) string {
	for _, part := range []string{"(?!", "(?=", "(?<!", "(?<="} {
		if strings.Contains(expr, part) {
			return "look-around, including look-ahead and look-behind, is not supported"
		}
	}
	for i := range 9 {
		if strings.Contains(expr, fmt.Sprintf(`\%d`, i+1)) {
			return "backreferences are not supported"
		}
	}
	return problem
}
