package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/lab/cluster"
	"coalmine/lab/guardrail"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// roleOther is a version that is neither the faulty nor the healthy one.
const roleOther score.Role = "other"

// trial is everything that will be played; runs[i] names flights[i].
type trial struct {
	specs      []cluster.RunSpec
	runs       []folder.Run
	manifest   folder.Manifest
	guardrails map[string][]byte
}

func (env *Env) newTrial(ctx context.Context, src *source, f runFlags) (*trial, error) {
	set, variant, err := env.loadGuardrails(ctx, f.guardrails, src)
	if err != nil {
		return nil, err
	}
	t := &trial{guardrails: set.Files}
	for seed := f.seed; seed < f.seed+uint64(f.trials); seed++ {
		if err := t.addSeed(src, set, f, seed); err != nil {
			return nil, err
		}
	}
	t.manifest = folder.Manifest{
		Scenario: src.scenario.Name,
		Versions: env.Cluster.Describe().Versions,
		Options:  folder.Options{Guardrails: variant},
		Runs:     t.runs,
	}
	if f.approves {
		t.manifest.Options.Approve = f.approve.String()
	}
	return t, nil
}

// addSeed adds the runs of one seed: those of one version, or all that a score needs.
func (t *trial) addSeed(src *source, set *guardrail.Set, f runFlags, seed uint64) error {
	s := src.scenario
	flight := cluster.RunSpec{Scenario: s, Guardrails: set, Seed: seed, ApproveAfter: f.approveAfter()}
	if f.version != "" {
		versions := s.Released().Versions
		if _, ok := versions[f.version]; !ok {
			return invalid("write one of "+strings.Join(slices.Sorted(maps.Keys(versions)), ", "), "%s has no version %q", s.Release.Service, f.version)
		}
		if f.version == s.Released().Baseline {
			return invalid("name the faulty version "+s.Release.Faulty+" or the healthy one "+s.Release.Healthy, "%s runs version %s already: there is nothing to release", s.Release.Service, f.version)
		}
		part := score.Role(s.Role(f.version))
		if part == "" {
			part = roleOther
		}
		t.add(part, flight, f.version, set)
		return nil
	}
	t.add(score.RoleFaulty, flight, s.Release.Faulty, set)
	t.add(score.RoleHealthy, flight, s.Release.Healthy, set)
	t.add(score.RoleUnguarded, flight, s.Release.Faulty, nil)
	best, err := referenceOf(src)
	if err != nil || best == nil {
		return err
	}
	t.add(score.RoleReference, flight, s.Release.Faulty, best)
	return nil
}

// learners are the guardrails that the trial is about: those of its first flight.
func (t *trial) learners() *guardrail.Set { return t.specs[0].Guardrails }

func (t *trial) add(part score.Role, f cluster.RunSpec, version string, set *guardrail.Set) {
	f.Version, f.Guardrails = version, set
	t.specs = append(t.specs, f)
	t.runs = append(t.runs, folder.Run{Role: string(part), Seed: f.Seed, Version: version})
}

// referenceOf loads the scenario's own solution, nil when it has none.
func referenceOf(src *source) (*guardrail.Set, error) {
	files, err := src.Files(scenario.Solution)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(src.scenario))
	return set, prefixFindings(src.scenario.Name+"/"+scenario.Solution, err)
}

// freeFolder is the first of runs/NAME-1, runs/NAME-2, … that is not there yet.
func (env *Env) freeFolder(name string) (string, error) {
	for i := 1; i < 10000; i++ {
		dir := filepath.Join(env.path("runs"), fmt.Sprintf("%s-%d", name, i))
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			return dir, nil
		}
	}
	return "", invalid("remove some, or name a folder with -o", "%s is full of run folders", env.path("runs"))
}
