// Package verify plays a recorded trial again and compares what happens with what was recorded.
// The sim is deterministic, so the same program gives the same bytes; only this proves that a run
// folder is what it claims to be.
package verify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/input"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// Options of a verification.
type Options struct {
	Player  run.Player
	Workers int
	// Binary names this program.
	Binary folder.Binary
	// Scenario is the folder of the scenario that was played, for the solution in it; nil for a
	// scenario of the library.
	Scenario *scenario.Folder
	// CheckSeeds is how many of the check seeds to play again at most, picked at random.
	CheckSeeds int
}

// Result of a verification.
type Result struct {
	// Played is the program that recorded the trial.
	Played folder.Binary `json:"played_by"`
	// OtherVersion is set if that was another program than this one.
	OtherVersion bool  `json:"other_version"`
	Runs         []Run `json:"runs"`
	// Check are the check seeds that were played again, of those that CheckSeeds counts. Of their
	// runs only digests were recorded.
	Check      []Run `json:"check,omitempty"`
	CheckSeeds int   `json:"check_seeds,omitempty"`
	// Remarks are those of the card.
	Remarks []string `json:"remarks,omitempty"`
}

// Run is the comparison of one run, or of the runs of one check seed.
type Run struct {
	Name string `json:"run"`
	// Identical is set if all bytes are the same, and Different if they are not. If neither is set,
	// the run was not played again, and Reason says why.
	Identical bool `json:"identical"`
	Different bool `json:"different,omitempty"`
	// Event is the first event of a run that differs, Reason says what differs.
	Event  int    `json:"event,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Identical reports whether every run is.
func (r *Result) Identical() bool {
	return len(r.Runs) > 0 && !slices.ContainsFunc(r.All(), func(x Run) bool { return !x.Identical })
}

// All returns the runs and the check seeds.
func (r *Result) All() []Run { return slices.Concat(r.Runs, r.Check) }

// Differs returns the first run that was played again and differs; ok is false if there is none.
func (r *Result) Differs() (first Run, ok bool) {
	for _, x := range r.All() {
		if x.Different {
			return x, true
		}
	}
	return Run{}, false
}

// Folder plays the runs of a run folder again.
func Folder(ctx context.Context, dir string, o Options) (*Result, error) {
	rec, err := result.Read(dir)
	if err != nil {
		return nil, err
	}
	v := &verifier{dir: dir, recording: rec, result: &Result{Remarks: rec.Card().Remarks}}
	if e := rec.Manifest.Evidence; e != nil {
		v.result.Played = e.Binary
	}
	v.result.OtherVersion = v.result.Played != o.Binary
	if err := v.plan(o); err != nil {
		return nil, err
	}
	if err := run.PlayAll(ctx, o.Player, v.specs, o.Workers, v.open); err != nil {
		return v.result, err
	}
	return v.result, v.check(ctx, o)
}

// check plays the check seeds again and compares their results, which have the digests of the logs.
func (v *verifier) check(ctx context.Context, o Options) error {
	recorded := pick(v.recording.Manifest.Check, o.CheckSeeds)
	v.result.CheckSeeds = len(v.recording.Manifest.Check)
	if len(recorded) == 0 {
		return nil
	}
	var seeds []uint64
	for _, k := range recorded {
		seeds = append(seeds, k.Seed)
		v.result.Check = append(v.result.Check, Run{Name: fmt.Sprintf("check seed %d", k.Seed)})
	}
	if first := v.recording.Logs[0].Timeline; first == nil || first.Run.Cluster != simulated {
		for i := range v.result.Check {
			v.result.Check[i].Reason = "it was played on a cluster that does not repeat a run"
		}
		return nil
	}
	played, err := trial.Check(ctx, v.spec, seeds, o.Player, o.Workers, nil)
	if err != nil {
		return err
	}
	for i, k := range played {
		r := &v.result.Check[i]
		r.Identical = reflect.DeepEqual(k, recorded[i])
		r.Different = !r.Identical
		switch {
		case r.Identical:
		case k.Outcome != recorded[i].Outcome:
			r.Reason = fmt.Sprintf("recorded as %q, and the outcome is %q: %s", recorded[i].Outcome, k.Outcome,
				k.Reason)
		default:
			r.Reason = "its logs or its result differ"
		}
	}
	return nil
}

// pick returns up to n of the check seeds, in their order. Nobody can know which, so any of them may
// be found out.
func pick(all []folder.CheckSeed, n int) []folder.CheckSeed {
	if n >= len(all) {
		return all
	}
	var picked []folder.CheckSeed
	for _, i := range slices.Sorted(slices.Values(rand.Perm(len(all))[:max(n, 0)])) {
		picked = append(picked, all[i])
	}
	return picked
}

// verifier plays runs again and compares each with its log.
type verifier struct {
	dir       string
	recording *result.Recording
	result    *Result

	specs []cluster.RunSpec
	index []int // of specs in the result's runs
	// spec is what the runs of the guardrails have in common.
	spec cluster.RunSpec
	mu   sync.Mutex
}

// plan lists the runs that can be played again.
func (v *verifier) plan(o Options) error {
	s := v.recording.Scenario
	set, err := guardrail.Parse(v.recording.Guardrails, guardrail.EnvironmentOf(s))
	if err != nil {
		return err
	}
	reference, err := solution(s, o.Scenario)
	if err != nil {
		return err
	}
	approve := time.Duration(-1)
	if text := v.recording.Manifest.Options.Approve; text != "" {
		if approve, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("run.json: options.approve: %w", err)
		}
	}
	v.spec = cluster.RunSpec{Scenario: s, Guardrails: set, ApproveAfter: approve}
	for _, l := range v.recording.Logs {
		if l.Timeline == nil && !errors.Is(l.Err, fs.ErrNotExist) {
			return input.New("", "%w", l.Err)
		}
		r := Run{Name: l.Run.Name()}
		spec := v.spec
		spec.Version, spec.Seed = l.Run.Version, l.Run.Seed
		if v.recording.Manifest.Options.Drawn {
			spec.Scenario = s.Draw(spec.Seed)
		}
		switch score.Role(l.Run.Role) {
		case score.RoleUnguarded:
			spec.Guardrails = nil
		case score.RoleReference:
			spec.Guardrails = reference
		}
		if r.Reason = cannotPlay(l, spec); r.Reason == "" {
			v.specs, v.index = append(v.specs, spec), append(v.index, len(v.result.Runs))
		}
		v.result.Runs = append(v.result.Runs, r)
	}
	return nil
}

// solution returns the solution of a scenario: that in its folder, or in the library's of the same
// name; nil if there is none.
func solution(s *scenario.Scenario, f *scenario.Folder) (*guardrail.Set, error) {
	if f == nil {
		library, err := scenario.Open(scenarios.Library(), s.Name)
		if err != nil {
			return nil, nil
		}
		set, err := parseSolution(s, library)
		if err != nil {
			return nil, nil // the scenario was edited
		}
		return set, nil
	}
	own, err := f.Load()
	if err != nil {
		return nil, err
	}
	if own.Digest() != s.Digest() {
		return nil, input.New("name the folder of the scenario that was played",
			"the scenario %s is not the recorded one", own.Name)
	}
	return parseSolution(s, f)
}

func parseSolution(s *scenario.Scenario, f *scenario.Folder) (*guardrail.Set, error) {
	files, err := f.Files(scenario.Solution)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return guardrail.Parse(files, guardrail.EnvironmentOf(s))
}

// simulated is the only cluster that repeats a run.
const simulated = "sim"

// cannotPlay says why a run cannot be played again, or "".
func cannotPlay(l result.Log, spec cluster.RunSpec) string {
	if l.Timeline == nil {
		return l.Err.Error()
	}
	started, end := l.Timeline.Run, l.Timeline.End.Outcome
	switch {
	case started.Cluster != simulated:
		return "it was played on the cluster " + started.Cluster + ", which does not repeat a run"
	case end != event.OutcomeCompleted && end != event.OutcomeNotReady:
		return "it was not played to its end"
	case started.GuardrailsDigest != spec.Guardrails.Digest():
		return "its guardrails are not in the folder, and not the solution in this library"
	}
	return ""
}

// open opens the recorded log of a run, to compare it with the one that is played.
func (v *verifier) open(i int) (run.Log, error) {
	at := v.index[i]
	f, err := os.Open(filepath.Join(v.dir, "runs", v.result.Runs[at].Name, "events.jsonl"))
	if err != nil {
		return nil, err
	}
	c := &comparison{recorded: bufio.NewReaderSize(f, 64<<10)}
	return &comparedLog{Writer: event.NewWriter(c), comparison: c, file: f, verifier: v, run: at}, nil
}

// comparedLog is the log of a run that is played again.
type comparedLog struct {
	*event.Writer
	comparison *comparison
	file       io.Closer
	verifier   *verifier
	run        int
}

// Close compares the end of the log and keeps the result.
func (l *comparedLog) Close() error {
	if err := l.Writer.Close(); err != nil {
		return err
	}
	l.comparison.end()
	l.verifier.mu.Lock()
	defer l.verifier.mu.Unlock()
	r := &l.verifier.result.Runs[l.run]
	r.Event = l.comparison.differs
	r.Identical, r.Different = r.Event == 0, r.Event > 0
	if !r.Identical {
		r.Reason = fmt.Sprintf("event %d differs", r.Event)
	}
	return l.file.Close()
}

// comparison is a writer that compares what is written with a recorded log. It never fails.
type comparison struct {
	recorded *bufio.Reader
	partial  []byte
	line     int
	// differs is the first line that differs, 0 for none.
	differs int
}

// Write implements [io.Writer].
func (c *comparison) Write(p []byte) (int, error) {
	n := len(p)
	for c.differs == 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			c.partial = append(c.partial, p...)
			break
		}
		c.compare(append(c.partial, p[:i+1]...))
		c.partial, p = c.partial[:0], p[i+1:]
	}
	return n, nil
}

// compare compares a line with the next recorded one.
func (c *comparison) compare(played []byte) {
	c.line++
	for len(played) > 0 {
		part, err := c.recorded.Peek(min(len(played), c.recorded.Size()))
		if err != nil || !bytes.Equal(part, played[:len(part)]) {
			c.differs = c.line
			return
		}
		played = played[len(part):]
		_, _ = c.recorded.Discard(len(part)) // they were peeked
	}
}

// end finds what the recorded log has more.
func (c *comparison) end() {
	if _, err := c.recorded.Peek(1); c.differs == 0 && (err == nil || len(c.partial) > 0) {
		c.differs = c.line + 1
	}
}
