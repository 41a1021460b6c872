package admission

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/input/yamlpos"
)

// schema is what a structural schema of a CRD says about one value, as far as Go's types do not say
// it already: decoding has checked names and types of all fields.
type schema struct {
	fields   fields
	required []string
	items    *schema
	// minItems and maxItems bound a list; 0 is no bound. key names the field by which the items of
	// a list are told apart.
	minItems, maxItems int
	key                string
	// minLength and maxLength bound a string; 0 is no bound.
	minLength, maxLength int
	pattern              *regexp.Regexp
	values               []string
	// ranged is set if a number has bounds.
	ranged   bool
	min, max int64
	// exclusive are required fields of which exactly one must be there.
	exclusive []string
	rules     []rule
}

type fields map[string]*schema

// rule is a rule in CEL.
type rule struct {
	message, hint string
	holds         func(v any) bool
}

func mapping(f fields) *schema       { return &schema{fields: f} }
func list(of *schema) *schema        { return &schema{items: of} }
func anything() *schema              { return &schema{} }
func length(least, most int) *schema { return &schema{minLength: least, maxLength: most} }

func between(least, most int64) *schema { return &schema{ranged: true, min: least, max: most} }
func values(v ...string) *schema        { return &schema{values: v} }

func (s *schema) requires(names ...string) *schema { s.required = names; return s }
func (s *schema) upTo(n int) *schema               { s.maxItems = n; return s }
func (s *schema) atLeast(n int) *schema            { s.minItems = n; return s }
func (s *schema) keyedBy(name string) *schema      { s.key = name; return s }

func (s *schema) matching(p *regexp.Regexp) *schema { s.pattern = p; return s }
func (s *schema) oneOf(names ...string) *schema     { s.exclusive = names; return s }

func (s *schema) rule(message, hint string, holds func(v any) bool) *schema {
	s.rules = append(s.rules, rule{message, hint, holds})
	return s
}

// check collects the refusals of the API server.
type check struct{ refusals []Refusal }

func (c *check) refuse(path, reason, hint string) {
	c.refusals = append(c.refusals, Refusal{Field: path, Reason: reason, Hint: hint})
}

// visit checks a value and all below it. Null counts as missing.
func (c *check) visit(s *schema, v any, path string) {
	switch v := v.(type) {
	case map[string]any:
		c.visitMapping(s, v, path)
	case []any:
		c.visitList(s, v, path)
	case string:
		c.checkText(s, v, path)
	default:
		c.checkNumber(s, v, path)
	}
}

func (c *check) visitMapping(s *schema, v map[string]any, path string) {
	for _, name := range s.required {
		if v[name] == nil {
			c.refuse(join(path, name), "Required value", "add "+name)
		}
	}
	c.checkExclusive(s, v, path)
	for _, name := range sortedKeys(v) {
		if below := s.fields[name]; below != nil && v[name] != nil {
			c.visit(below, v[name], join(path, name))
		}
	}
}

// checkExclusive checks oneOf with one required field in each branch.
func (c *check) checkExclusive(s *schema, v map[string]any, path string) {
	if len(s.exclusive) == 0 {
		return
	}
	n := 0
	for _, name := range s.exclusive {
		if _, ok := v[name]; ok {
			n++
		}
	}
	found := fmt.Sprintf("Found %d valid alternatives", n)
	if n == 0 {
		found = "Found none valid"
		c.refuse(join(path, s.exclusive[0]), "Required value", "add "+strings.Join(s.exclusive, " or "))
	}
	if n != 1 {
		c.refuse(path, fmt.Sprintf("Invalid value: \"\": %q must validate one and only one schema (oneOf). %s", path,
			found),
			"write either "+strings.Join(s.exclusive, " or "))
	}
}

func (c *check) visitList(s *schema, v []any, path string) {
	switch {
	case s.maxItems > 0 && len(v) > s.maxItems:
		c.refuse(path, fmt.Sprintf("Too many: %d: must have at most %d items", len(v), s.maxItems), "remove some")
	case len(v) < s.minItems:
		c.refuse(path, fmt.Sprintf("Invalid value: %d: %s in body should have at least %d items", len(v), path,
			s.minItems),
			"add an item")
	}
	if s.items == nil {
		return
	}
	seen := map[string]bool{}
	for i, item := range v {
		at := yamlpos.Index(path, i)
		if s.key != "" {
			if key := text(field(item, s.key)); key != "" && seen[key] {
				c.refuse(at, fmt.Sprintf("Duplicate value: {%q:%q}", s.key, key), "keep one of them")
			} else {
				seen[key] = true
			}
		}
		c.visit(s.items, item, at)
	}
}

func (c *check) checkText(s *schema, v, path string) {
	shown := strconv.Quote(clip(v))
	switch {
	case len(v) < s.minLength:
		c.refuse(path, fmt.Sprintf("Invalid value: %s: %s in body should be at least %d chars long", shown, path,
			s.minLength),
			"write a value")
	case s.maxLength > 0 && len(v) > s.maxLength:
		c.refuse(path, fmt.Sprintf("Too long: may not be more than %d bytes", s.maxLength), "shorten it")
	case s.pattern != nil && !s.pattern.MatchString(v):
		c.refuse(path, fmt.Sprintf("Invalid value: %s: %s in body should match '%s'", shown, path, s.pattern),
			"correct the value")
	case s.values != nil && !slices.Contains(s.values, v):
		c.refuse(path, fmt.Sprintf("Unsupported value: %s: supported values: %s", shown, quoted(s.values)),
			"use one of these")
	}
}

func (c *check) checkNumber(s *schema, v any, path string) {
	n, ok := number(v)
	switch {
	case !ok:
	case s.ranged && n < s.min:
		c.refuse(path, fmt.Sprintf("Invalid value: %d: %s in body should be greater than or equal to %d", n, path,
			s.min),
			fmt.Sprintf("write a number from %d to %d", s.min, s.max))
	case s.ranged && n > s.max:
		c.refuse(path, fmt.Sprintf("Invalid value: %d: %s in body should be less than or equal to %d", n, path, s.max),
			fmt.Sprintf("write a number from %d to %d", s.min, s.max))
	case s.values != nil && !slices.Contains(s.values, strconv.FormatInt(n, 10)):
		c.refuse(path, fmt.Sprintf("Unsupported value: %d: supported values: %s", n, quoted(s.values)),
			"use one of these")
	}
}

// visitRules evaluates the rules, which the API server does only for an object without other
// errors.
func (c *check) visitRules(s *schema, v any, path string) {
	for _, r := range s.rules {
		if !r.holds(v) {
			c.refuse(path, "Invalid value: "+r.message, r.hint)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedKeys(v) {
			if below := s.fields[name]; below != nil && v[name] != nil {
				c.visitRules(below, v[name], join(path, name))
			}
		}
	case []any:
		for i, item := range v {
			if s.items != nil {
				c.visitRules(s.items, item, yamlpos.Index(path, i))
			}
		}
	}
}

func number(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}

func quoted(values []string) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = strconv.Quote(v)
	}
	return strings.Join(list, ", ")
}

// join appends a field to a path.
func join(path, name string) string { return yamlpos.Join(path, name) }

// clip shortens a value to be shown.
func clip(v string) string {
	const most = 80
	if len(v) <= most {
		return v
	}
	return strings.ToValidUTF8(v[:most], "") + "…"
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
