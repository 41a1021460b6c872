// Package trial plans the runs of a trial, plays them, and records them in a run folder.
package trial

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/guardrail"
	"coalmine/lab/input"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// Options say what to play.
type Options struct {
	// Guardrails is a folder, a file, or a variant of the scenario. Relative paths start from Base.
	Guardrails, Base string
	// Seed is the first of Seeds seeds.
	Seed  uint64
	Seeds int
	// SeedList are the seeds of [Plan], in place of Seed and Seeds.
	SeedList []uint64
	// Version is the only version to play. "" plays the faulty and the healthy one, and the runs
	// that they are compared with.
	Version string
	// Approve is when the gate approve passes, as a time since the release; nil means never.
	Approve *time.Duration
	// Drawn plays with parameters that the seeds draw, as check seeds do.
	Drawn bool
	// CheckSeeds is how many check seeds have to confirm a pass, 0 for none. Trials of one version
	// have none. They follow from Nonce; "" draws one at random.
	CheckSeeds int
	Nonce      string
	// Versions of what plays the runs, by name.
	Versions map[string]string
}

// Trial is a planned trial. Runs[i] names Specs[i].
type Trial struct {
	Specs      []cluster.RunSpec
	Runs       []folder.Run
	Manifest   folder.Manifest
	Guardrails map[string][]byte
	source     *Source
}

// New plans a trial of a scenario.
func New(ctx context.Context, src *Source, o Options) (*Trial, error) {
	set, variant, err := src.LoadGuardrails(ctx, o.Base, o.Guardrails)
	if err != nil {
		return nil, err
	}
	o.SeedList = nil
	for seed := o.Seed; seed < o.Seed+uint64(o.Seeds); seed++ {
		o.SeedList = append(o.SeedList, seed)
	}
	return plan(src, set, variant, o)
}

// Plan plans a trial of guardrails that were read before; nil is for the runs that others are
// compared with. It plays the seeds of SeedList.
func Plan(src *Source, set *guardrail.Set, o Options) (*Trial, error) { return plan(src, set, "", o) }

func plan(src *Source, set *guardrail.Set, variant string, o Options) (*Trial, error) {
	t := &Trial{source: src}
	if set != nil {
		t.Guardrails = set.Files
	}
	for _, seed := range o.SeedList {
		if err := t.addSeed(set, o, seed); err != nil {
			return nil, err
		}
	}
	t.Manifest = folder.Manifest{
		Scenario: src.Scenario.Name,
		Versions: o.Versions,
		Options:  folder.Options{Guardrails: variant, Drawn: o.Drawn},
		Runs:     t.Runs,
	}
	if o.CheckSeeds > 0 && o.Version == "" {
		t.Manifest.Options.CheckSeeds = o.CheckSeeds
		t.Manifest.Options.Nonce = cmp.Or(o.Nonce, rand.Text())
		t.Manifest.Options.NonceGiven = o.Nonce != ""
	}
	if o.Approve != nil {
		t.Manifest.Options.Approve = o.Approve.String()
	}
	return t, nil
}

// addSeed adds the runs of one seed.
func (t *Trial) addSeed(set *guardrail.Set, o Options, seed uint64) error {
	s := t.source.Scenario
	spec := newSpec(s, set, seed, o)
	if o.Version != "" {
		role, err := t.roleOf(o.Version)
		if err != nil {
			return err
		}
		t.add(role, spec, o.Version, set)
		return nil
	}
	t.add(score.RoleFaulty, spec, s.Release.Faulty, set)
	t.add(score.RoleHealthy, spec, s.Release.Healthy, set)
	t.add(score.RoleUnguarded, spec, s.Release.Faulty, nil)
	reference, err := t.source.reference()
	if err != nil || reference == nil {
		return err
	}
	t.add(score.RoleReference, spec, s.Release.Faulty, reference)
	return nil
}

func newSpec(s *scenario.Scenario, set *guardrail.Set, seed uint64, o Options) cluster.RunSpec {
	spec := cluster.RunSpec{Scenario: s, Guardrails: set, Seed: seed, ApproveAfter: -1}
	if o.Drawn {
		spec.Scenario = s.Draw(seed)
	}
	if o.Approve != nil {
		spec.ApproveAfter = *o.Approve
	}
	return spec
}

// roleOf is the role of a version that is played alone.
func (t *Trial) roleOf(version string) (score.Role, error) {
	s := t.source.Scenario
	versions := s.Released().Versions
	if _, ok := versions[version]; !ok {
		return "", input.New("write one of "+strings.Join(slices.Sorted(maps.Keys(versions)), ", "),
			"%s has no version %q", s.Release.Service, version)
	}
	if version == s.Released().Baseline {
		return "", input.New("name the faulty version "+s.Release.Faulty+" or the healthy one "+s.Release.Healthy,
			"%s runs version %s already: there is nothing to release", s.Release.Service, version)
	}
	if role := score.Role(s.Role(version)); role != "" {
		return role, nil
	}
	return score.RoleOther, nil
}

func (t *Trial) add(role score.Role, spec cluster.RunSpec, version string, set *guardrail.Set) {
	spec.Version, spec.Guardrails = version, set
	t.Specs = append(t.Specs, spec)
	t.Runs = append(t.Runs, folder.Run{Role: string(role), Seed: spec.Seed, Version: version})
}

// Learner returns the guardrails that the trial is about: those of its first run.
func (t *Trial) Learner() *guardrail.Set { return t.Specs[0].Guardrails }

// OneVersion reports whether the trial is runs of one version, which have no points.
func (t *Trial) OneVersion() bool {
	return !slices.ContainsFunc(t.Runs, func(r folder.Run) bool { return r.Role != t.Runs[0].Role })
}

// Create makes the run folder dir, which must not exist.
func (t *Trial) Create(dir string) (*folder.Writer, error) {
	files, err := t.source.recordedFiles()
	if err != nil {
		return nil, err
	}
	w, err := folder.Create(dir, t.Manifest, files, t.Guardrails)
	if err != nil {
		return nil, input.New("name a new folder that can be written with -o", "%w", err)
	}
	return w, nil
}

// Play plays the runs, up to workers of them at the same time, and records them in w. Each run's
// log passes through watch, which may wrap it; watch is called from several goroutines.
func (t *Trial) Play(ctx context.Context, player run.Player, workers int, w *folder.Writer,
	watch func(i int, log run.Log) run.Log) error {
	return run.PlayAll(ctx, player, t.Specs, workers, func(i int) (run.Log, error) {
		log, err := w.Log(t.Runs[i])
		if err != nil {
			return nil, err
		}
		return watch(i, log), nil
	})
}

// FreeDir returns the first of NAME-1, NAME-2, … in dir that does not exist.
func FreeDir(dir, name string) (string, error) {
	for i := 1; i < 10000; i++ {
		free := filepath.Join(dir, fmt.Sprintf("%s-%d", name, i))
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		}
	}
	return "", input.New("remove some, or name a folder with -o", "%s is full of run folders", dir)
}
