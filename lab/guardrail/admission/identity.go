package admission

import (
	"regexp"
	"strings"
)

// identityPattern is the form of identities that are no SPIFFE IDs (linkerd2,
// policy-controller/runtime/src/validation.rs).
var identityPattern = regexp.MustCompile(`^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// identityProblem returns what is wrong with a mesh identity, or "".
func identityProblem(id string) string {
	rest, spiffe := strings.CutPrefix(id, "spiffe://")
	if !spiffe {
		if !identityPattern.MatchString(id) {
			return "identity must be a valid SPIFFE id or a DNS SAN, matching the regex: " + identityPattern.String()
		}
		return ""
	}
	domain, path, hasPath := strings.Cut(rest, "/")
	const lower = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	switch {
	case domain == "":
		return "SPIFFE trust domain is missing"
	case strings.Trim(domain, lower) != "":
		return "SPIFFE trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
	case !hasPath:
		return ""
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch {
		case s == "" && i == len(segments)-1:
			return "SPIFFE path cannot have a trailing slash"
		case s == "":
			return "SPIFFE path cannot contain empty segments"
		case s == "." || s == "..":
			return "SPIFFE path cannot contain dot segments"
		case strings.Trim(s, lower+"ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
			return "SPIFFE path segment characters are limited to letters, numbers, dots, dashes, and underscores"
		}
	}
	return ""
}
