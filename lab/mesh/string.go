package mesh

import "strings"

// String tells the conditions in words, "" when there are none: what stands in an event for a person to read.
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

// String is "path /a", "path under /a" or "path ~ regex"; "" for any path.
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

// String is "name: value" or "name ~ regex".
func (v ValueMatch) String() string {
	if v.Regex {
		return v.Name + " ~ " + v.Value
	}
	return v.Name + ": " + v.Value
}

// String joins the alternatives of a rule by "or"; "" when one of them matches everything.
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
