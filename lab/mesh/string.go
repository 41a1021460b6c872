package mesh

import "strings"

// String returns the conditions in readable form, or "" if there are none. Events contain it.
func (m Match) String() string {
	var parts []string
	if m.Method != "" {
		parts = append(parts, "method "+m.Method)
	}
	if p := m.Path.String(); p != "" {
		parts = append(parts, p)
	}
	for _, h := range m.Headers {
		parts = append(parts, "header "+h.String())
	}
	for _, q := range m.Query {
		parts = append(parts, "query "+q.String())
	}
	return strings.Join(parts, ", ")
}

// String returns "path /a", "path under /a" or "path ~ regex", or "" for any path.
func (p PathMatch) String() string {
	switch p.Kind {
	case PathExact:
		return "path " + p.Value
	case PathRegex:
		return "path ~ " + p.Value
	case PathPrefix:
		if strings.Trim(p.Value, "/") != "" {
			return "path under " + p.Value
		}
	}
	return ""
}

// String returns "name: value" or "name ~ regex".
func (v ValueMatch) String() string {
	if v.Regex {
		return v.Name + " ~ " + v.Value
	}
	return v.Name + ": " + v.Value
}

// String joins the alternatives of a rule by "or". It is "" if one of them matches everything.
func (r Rule) String() string {
	var parts []string
	for _, m := range r.Matches {
		s := m.String()
		if s == "" {
			return ""
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " or ")
}
