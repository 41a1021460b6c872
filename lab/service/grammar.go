package service

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultGrammar describes the syntax of [ParseFault].
const FaultGrammar = `ROUTES:PART,PART... with ROUTES as checkout+item, or * for all, and parts
  status=500  wrong  delay=200ms  delay=200ms..1s (median and p99)  slower=2.5  memory=5 (MiB lost)  hold=2s
  share=0.1  cohort=premium+beta  users=0.25  cookie=NAME:REGEX  header=NAME:REGEX  load=4  uptime=1m  weight=50
  name=points-missing
A backslash escapes , ; + and :`

// ParseFault parses a fault from a command line, such as
// checkout:status=500,share=0.1,cohort=premium (see [FaultGrammar]). The result is valid, except
// that its name may be missing and its routes and cohorts may be unknown. The error names the part
// that is wrong.
func ParseFault(text string) (Fault, error) {
	routes, parts, ok := cutUnescaped(text, ':')
	if !ok {
		return Fault{}, fmt.Errorf("fault %q has no colon: write ROUTES:PART,PART..., "+
			"such as checkout:status=500,share=0.1", text)
	}
	f := Fault{}
	if routes != "" && routes != "*" {
		f.When.Routes = splitNames(routes)
	}
	seen := map[string]bool{}
	for _, part := range splitUnescaped(parts, ',') {
		key, value, _ := strings.Cut(part, "=")
		read := faultParts()[key]
		switch {
		case read == nil:
			return Fault{}, fmt.Errorf("fault %q: there is no part %q: use %s", text, key,
				strings.Join(slices.Sorted(maps.Keys(faultParts())), ", "))
		case seen[key]:
			return Fault{}, fmt.Errorf("fault %q: %s is given twice", text, key)
		}
		seen[key] = true
		if err := read(&f, value); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s: %w", text, part, err)
		}
	}
	if err := f.validate(); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

// validate returns the findings of [Behaviour.Validate] about the fault.
func (f Fault) validate() error {
	if f.Name == "" {
		f.Name = "unnamed"
	}
	err := Behaviour{Routes: map[string]RouteBehaviour{"": {}}, Faults: []Fault{f}}.Validate()
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "faults[0].", ""))
}

// SplitFaults splits a list of faults at semicolons.
func SplitFaults(list string) []string {
	var faults []string
	for _, text := range splitUnescaped(list, ';') {
		if text = strings.TrimSpace(text); text != "" {
			faults = append(faults, text)
		}
	}
	return faults
}

// faultParts returns the parsers of a fault's parts by key.
func faultParts() map[string]func(f *Fault, value string) error {
	return map[string]func(*Fault, string) error{
		"name": func(f *Fault, v string) error { f.Name = unescape(v); return nonEmpty(v) },
		"status": func(f *Fault, v string) error {
			return parseInto(&f.Effect.Status, v, strconv.Atoi, "a status such as 500")
		},
		"wrong": func(f *Fault, v string) error {
			f.Effect.WrongBody = true
			if v != "" {
				return errors.New("wrong has no value")
			}
			return nil
		},
		"delay": func(f *Fault, v string) error { return f.Effect.readDelay(v) },
		"slower": func(f *Fault, v string) error {
			return parseInto(&f.Effect.MultiplyLatency, v, parsePositive, "a factor such as 2.5")
		},
		"memory": func(f *Fault, v string) error {
			return parseInto(&f.Effect.GrowMemory, v, parsePositive, "a number of MiB such as 5")
		},
		"hold": func(f *Fault, v string) error {
			return parseInto(&f.Effect.Hold, v, time.ParseDuration, "a duration such as 2s")
		},
		"share": func(f *Fault, v string) error {
			return parseInto(&f.Share, v, parsePositive, "a share above 0 and up to 1, such as 0.1")
		},
		"users": func(f *Fault, v string) error {
			return parseInto(&f.When.Users, v, parsePositive, "a share above 0 and up to 1, such as 0.25")
		},
		"cohort": func(f *Fault, v string) error { f.When.Cohorts = splitNames(v); return nonEmpty(v) },
		"cookie": func(f *Fault, v string) error { return readMatch(&f.When.Cookie, v) },
		"header": func(f *Fault, v string) error { return readMatch(&f.When.Header, v) },
		"load": func(f *Fault, v string) error {
			return parseInto(&f.When.Load, v, strconv.Atoi, "a number of requests such as 4")
		},
		"uptime": func(f *Fault, v string) error {
			return parseInto(&f.When.Uptime, v, time.ParseDuration, "a duration such as 1m")
		},
		"weight": func(f *Fault, v string) error {
			return parseInto(&f.When.Weight, v, parsePositive, "a percentage such as 50")
		},
	}
}

// parseInto parses a value; want describes its syntax.
func parseInto[T any](to *T, value string, parse func(string) (T, error), want string) error {
	x, err := parse(value)
	if err != nil {
		return fmt.Errorf("write %s", want)
	}
	*to = x
	return nil
}

// parsePositive parses a number above 0, because 0 means the default in a behaviour.
func parsePositive(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err == nil && !(x > 0) {
		err = strconv.ErrRange
	}
	return x, err
}

func nonEmpty(value string) error {
	if value == "" {
		return errors.New("is empty")
	}
	return nil
}

func (e *Effect) readDelay(value string) error {
	low, high, wide := strings.Cut(value, "..")
	if !wide {
		high = low
	}
	var l Latency
	for _, x := range []struct {
		to   *time.Duration
		text string
	}{{&l.P50, low}, {&l.P99, high}} {
		const syntax = "a duration such as 200ms, or median..p99 such as 200ms..1s"
		if err := parseInto(x.to, x.text, time.ParseDuration, syntax); err != nil {
			return err
		}
	}
	if l == (Latency{}) {
		return errors.New("adds nothing: write a duration above 0")
	}
	e.AddLatency = &l
	return nil
}

func readMatch(to **NameMatch, value string) error {
	name, expression, ok := strings.Cut(value, ":")
	if !ok {
		return errors.New("write NAME:REGEX, such as tier:premium")
	}
	// Keep other backslashes, which have a meaning in the expression.
	*to = &NameMatch{name, strings.NewReplacer(`\,`, ",", `\;`, ";").Replace(expression)}
	return nil
}

// splitNames splits a list at plus signs.
func splitNames(list string) []string {
	parts := splitUnescaped(list, '+')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	return parts
}

// unescape removes backslashes before separators.
func unescape(text string) string {
	return strings.NewReplacer(`\,`, ",", `\;`, ";", `\+`, "+", `\:`, ":").Replace(text)
}

// splitUnescaped splits a text at separators without a preceding backslash.
func splitUnescaped(text string, separator byte) []string {
	var parts []string
	for {
		part, rest, ok := cutUnescaped(text, separator)
		parts = append(parts, part)
		if !ok {
			return parts
		}
		text = rest
	}
}

func cutUnescaped(text string, separator byte) (before, after string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case separator:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}
