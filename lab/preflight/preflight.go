// Package preflight looks a lab over before it is flown: a list of named checks, each with what it found and, where that is not
// well, what to do. Checks are data; this package knows how a list of them is gone through, and what each looks at. It changes
// nothing in the cluster.
package preflight

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Level says how a check ended.
type Level string

// Levels.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Failed  Level = "failed"
	// Skipped checks could not look, because another failed before.
	Skipped Level = "skipped"
)

// Finding is what a check saw.
type Finding struct {
	Level  Level
	Detail string
	// Hint says what to do, where it is not the check's own.
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

// Check is one named look at the lab.
type Check struct {
	// Name is stable: group, slash, what is looked at.
	Group, Name string
	// Title says what holds when the check is well.
	Title string
	// Hint says what to do when it is not.
	Hint string
	// Needs are names of checks that have to be well or warned before this one can look.
	Needs []string
	// Meshes that the check is for; none is for all.
	Meshes []string
	Run    func(context.Context, *Lab) Finding
}

// Result is a check with what it found.
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

// Run goes through checks in their order and tells each result as it comes.
func Run(ctx context.Context, checks []Check, lab *Lab, tell func(Result)) []Result {
	var results []Result
	stands := map[string]bool{}
	for _, c := range checks {
		if len(c.Meshes) > 0 && !slices.Contains(c.Meshes, lab.mesh) {
			continue // what it needs was looked at before, so the mesh is known by now
		}
		r := look(ctx, c, lab, stands)
		stands[c.Name] = r.Level == OK || r.Level == Warning
		results = append(results, r)
		tell(r)
	}
	return results
}

func look(ctx context.Context, c Check, lab *Lab, stands map[string]bool) Result {
	r := Result{Group: c.Group, Name: c.Name, Title: c.Title}
	for _, need := range c.Needs {
		if !stands[need] {
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

// Worst is the worst level among results; what was skipped counts as failed, since what it needs did.
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
