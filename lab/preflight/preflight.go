// Package preflight checks a kind cluster before a run: a list of named checks, each with its
// finding and, if something is wrong, advice. Checks are data; this package runs them in order. It
// changes nothing in the cluster.
package preflight

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Level is the outcome of a check.
type Level string

// Levels.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Failed  Level = "failed"
	// Skipped means that the check did not run because another one failed.
	Skipped Level = "skipped"
)

// Finding is what a check found.
type Finding struct {
	Level  Level
	Detail string
	// Hint says what to do; it replaces the check's own hint.
	Hint string
}

func pass(format string, args ...any) Finding {
	return Finding{Level: OK, Detail: fmt.Sprintf(format, args...)}
}

func warn(format string, args ...any) Finding {
	return Finding{Level: Warning, Detail: fmt.Sprintf(format, args...)}
}

func fail(format string, args ...any) Finding {
	return Finding{Level: Failed, Detail: fmt.Sprintf(format, args...)}
}

func (f Finding) withHint(hint string) Finding {
	f.Hint = hint
	return f
}

// Check is one named check.
type Check struct {
	// Group and Name are stable identifiers.
	Group, Name string
	// Title states what holds when the check passes.
	Title string
	// Hint says what to do when it fails.
	Hint string
	// Needs names the checks that must not have failed for this one to run.
	Needs []string
	// Meshes lists the meshes the check applies to; empty means all.
	Meshes []string
	Run    func(context.Context, *Lab) Finding
}

// Result is the outcome of a check.
type Result struct {
	Group  string        `json:"group"`
	Name   string        `json:"name"`
	Title  string        `json:"title"`
	Level  Level         `json:"level"`
	Detail string        `json:"detail,omitempty"`
	Hint   string        `json:"hint,omitempty"`
	Took   time.Duration `json:"-"`
}

// checkTimeout bounds one check.
const checkTimeout = 15 * time.Second

// Run runs the checks in order and reports each result as it arrives.
func Run(ctx context.Context, checks []Check, lab *Lab, report func(Result)) []Result {
	var results []Result
	passed := map[string]bool{}
	for _, c := range checks {
		if len(c.Meshes) > 0 && !slices.Contains(c.Meshes, lab.mesh) {
			continue // its needs have run, so the mesh is known
		}
		r := look(ctx, c, lab, passed)
		passed[c.Name] = r.Level == OK || r.Level == Warning
		results = append(results, r)
		report(r)
	}
	return results
}

func look(ctx context.Context, c Check, lab *Lab, passed map[string]bool) Result {
	r := Result{Group: c.Group, Name: c.Name, Title: c.Title}
	for _, need := range c.Needs {
		if !passed[need] {
			r.Level, r.Detail = Skipped, "needs "+need
			return r
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	begin := time.Now()
	f := c.Run(ctx, lab)
	r.Took = time.Since(begin)
	r.Level, r.Detail = f.Level, f.Detail
	if f.Level != OK {
		r.Hint = f.Hint
		if r.Hint == "" {
			r.Hint = c.Hint
		}
	}
	return r
}

// Worst returns the worst level of the results. Skipped counts as failed, because what the check
// needs failed.
func Worst(results []Result) Level {
	worst := OK
	for _, r := range results {
		switch r.Level {
		case Failed, Skipped:
			return Failed
		case Warning:
			worst = Warning
		}
	}
	return worst
}
