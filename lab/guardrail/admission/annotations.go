package admission

import (
	"fmt"
	"strconv"
	"strings"
)

const annotationPath = "metadata.annotations"

// annotations reviews the retries and timeouts of a route (linkerd2,
// policy-controller/k8s/index/src/outbound/index/http.rs, parse_http_retry; index.rs,
// parse_timeouts).
func (w *webhook) annotations(a map[string]any) {
	if v, ok := a["retry.linkerd.io/limit"]; ok {
		if _, err := strconv.ParseUint(text(v), 10, 16); err != nil {
			w.deny(annotationPath, numberProblem(text(v)), "write retry.linkerd.io/limit as a number from 0 to 65535")
		}
	}
	for _, name := range []string{"retry.linkerd.io/timeout", "timeout.linkerd.io/response",
		"timeout.linkerd.io/request",
		"timeout.linkerd.io/idle"} {
		if name == "timeout.linkerd.io/response" {
			w.retryConditions(a)
		}
		if v, ok := a[name]; ok {
			if reason := DurationProblem(text(v)); reason != "" {
				w.deny(annotationPath, reason, "write "+name+" as a number with a unit, such as 300ms")
			}
		}
	}
}

func (w *webhook) retryConditions(a map[string]any) {
	v, ok := a["retry.linkerd.io/http"]
	if !ok {
		return
	}
	for cond := range strings.SplitSeq(text(v), ",") {
		if !validCondition(cond) {
			w.deny(annotationPath, "invalid retry condition: "+clip(text(v)),
				"write retry.linkerd.io/http as a list such as 5xx,gateway-error,429 or 500-504, without spaces")
			return
		}
	}
}

// validCondition reports whether a condition is 5xx, gateway-error, a status or a range of them.
func validCondition(cond string) bool {
	if strings.EqualFold(cond, "5xx") || strings.EqualFold(cond, "gateway-error") {
		return true
	}
	first, last, ranged := strings.Cut(cond, "-")
	from, ok := status(first)
	if !ranged {
		return ok
	}
	to, valid := status(last)
	return ok && valid && from <= to
}

func status(s string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 32)
	return n, err == nil && n >= 100 && n < 600
}

// DurationProblem returns what Linkerd finds wrong with a duration in an annotation, or "". It
// takes whole numbers of ms, s, m, h or d (linkerd2,
// policy-controller/k8s/index/src/outbound/index.rs, parse_duration).
func DurationProblem(s string) string {
	s = strings.TrimSpace(s)
	shown := clip(s)
	if strings.HasPrefix(s, "-") {
		return "duration value cannot be negative: '" + shown + "'"
	}
	last := strings.LastIndexAny(s, "0123456789")
	if last < 0 {
		return shown + " does not contain a timeout duration value"
	}
	magnitude, unit := s[:last+1], s[last+1:]
	if strings.Contains(magnitude, ".") {
		return "fractional values not supported"
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(magnitude, "+"), 10, 64)
	if err != nil {
		return numberProblem(magnitude)
	}
	switch unit {
	case "ms", "s", "m", "h", "d":
	case "":
		if n != 0 {
			return fmt.Sprintf("missing duration unit; did you mean '%ds' or '%dms'?", n, n)
		}
	default:
		return fmt.Sprintf("invalid duration unit %s (expected one of 'ms', 's', 'm', 'h', or 'd')", clip(unit))
	}
	return ""
}

// numberProblem returns the error of Rust's integer parser.
func numberProblem(s string) string {
	if s == "" {
		return "cannot parse integer from empty string"
	}
	if strings.Trim(strings.TrimPrefix(s, "+"), "0123456789") == "" && s != "+" {
		return "number too large to fit in target type"
	}
	return "invalid digit found in string"
}
