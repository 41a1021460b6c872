package trial_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/trial"
)

func open(t *testing.T, name string) *trial.Source {
	t.Helper()
	src, err := trial.Open(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func plan(t *testing.T, o trial.Options) *trial.Trial {
	t.Helper()
	o.Base = t.TempDir()
	tr, err := trial.New(t.Context(), open(t, "full-rollout"), o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func names(tr *trial.Trial) string {
	var all []string
	for _, r := range tr.Runs {
		all = append(all, r.Name()+" "+r.Version)
	}
	return strings.Join(all, ", ")
}

func TestNew(t *testing.T) {
	approve := 90 * time.Second
	for name, c := range map[string]struct {
		options    trial.Options
		runs       string
		oneVersion bool
	}{
		"a trial": {trial.Options{Guardrails: "naive", Seed: 7, Seeds: 1},
			"faulty-seed7 v2, healthy-seed7 v3, unguarded-seed7 v2, reference-seed7 v2", false},
		"the faulty version": {trial.Options{Guardrails: "naive", Seed: 7, Seeds: 2, Version: "v2"},
			"faulty-seed7 v2, faulty-seed8 v2", true},
		"the healthy version": {trial.Options{Guardrails: "naive", Seed: 7, Seeds: 1, Version: "v3", Approve: &approve},
			"healthy-seed7 v3", true},
	} {
		tr := plan(t, c.options)
		if got := names(tr); got != c.runs || tr.OneVersion() != c.oneVersion {
			t.Errorf("%s: the runs are %s (one version: %v), want %s", name, got, tr.OneVersion(), c.runs)
		}
		for i, spec := range tr.Specs {
			unguarded, approved := tr.Runs[i].Role == "unguarded", c.options.Approve != nil
			if (spec.Guardrails == nil) != unguarded || (spec.ApproveAfter >= 0) != approved ||
				spec.Seed != tr.Runs[i].Seed {
				t.Errorf("%s: the spec of %s is %+v", name, tr.Runs[i].Name(), spec)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for version, want := range map[string]string{
		"v1": "backend runs version v1 already", "v9": `backend has no version "v9"`,
	} {
		_, err := trial.New(t.Context(), open(t, "full-rollout"),
			trial.Options{Guardrails: "naive", Seeds: 1, Version: version})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", version, err, want)
		}
	}
	if _, err := trial.Open(t.TempDir(), "no-such"); err == nil || !strings.Contains(err.Error(), "the library has ") {
		t.Errorf("an unknown scenario: error %v", err)
	}
}

func TestFreeDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "s-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := trial.FreeDir(dir, "s"); err != nil || got != filepath.Join(dir, "s-2") {
		t.Errorf("the free folder is %s, error %v", got, err)
	}
}

// counter is a player that counts the runs that it plays to their end.
type counter struct {
	played []folder.Run
	err    error
}

func (c *counter) Play(_ context.Context, spec cluster.RunSpec, sink func(event.Event)) error {
	role := "guarded"
	if spec.Guardrails == nil {
		role = "unguarded"
	}
	c.played = append(c.played, folder.Run{Role: role, Seed: spec.Seed, Version: spec.Version})
	if c.err != nil {
		return c.err
	}
	sink(event.Event{Seq: 1, Fact: event.RunEnded{Outcome: event.OutcomeCompleted}})
	return nil
}

func TestCache(t *testing.T) {
	var cache trial.Cache
	play := func(tr *trial.Trial, c *counter) (events int) {
		p := cache.Player(c, tr)
		for _, spec := range tr.Specs {
			if err := p.Play(t.Context(), spec, func(event.Event) { events++ }); err != nil && c.err == nil {
				t.Fatal(err)
			}
		}
		return events
	}
	options := trial.Options{Guardrails: "naive", Seed: 1, Seeds: 1}
	failed := &counter{err: errors.New("the lab failed")}
	play(plan(t, options), failed)
	first, second := &counter{}, &counter{}
	if n := play(plan(t, options), first); n != 4 || len(first.played) != 4 {
		t.Errorf("after a failure, %d runs were played, want 4: %+v", len(first.played), first.played)
	}
	if n := play(plan(t, options), second); n != 4 || len(second.played) != 2 {
		t.Errorf("the second trial has %d events and played %+v, want 4 and the learner's 2", n, second.played)
	}
}

func TestSplitPlayer(t *testing.T) {
	tr := plan(t, trial.Options{Guardrails: "naive", Seed: 1, Seeds: 1})
	learner, other := &counter{}, &counter{}
	p := trial.SplitPlayer{Learner: tr.Learner(), Learners: learner, Other: other}
	for _, spec := range tr.Specs {
		if err := p.Play(t.Context(), spec, func(event.Event) {}); err != nil {
			t.Fatal(err)
		}
	}
	want := []folder.Run{{Role: "guarded", Seed: 1, Version: "v2"}, {Role: "guarded", Seed: 1, Version: "v3"}}
	if diff := cmp.Diff(want, learner.played); diff != "" || len(other.played) != 2 {
		t.Errorf("the learner's player played (-want +got):\n%s\nthe other %+v", diff, other.played)
	}
}

func TestPrefixFinding(t *testing.T) {
	for _, c := range []struct{ dir, file, want string }{
		{"rules", "canary.yaml", "rules/canary.yaml:7"},
		{"canary", "canary", "canary/canary:7"},
	} {
		f := trial.PrefixFinding(c.dir, guardrail.Finding{Position: guardrail.Position{File: c.file, Line: 7}})
		if got := f.Position.String(); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.file, c.dir, got, c.want)
		}
	}
}
