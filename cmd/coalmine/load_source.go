package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coalmine/lab/run"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// loadSource is what is to be sent: the traffic of a scenario, a workload, or an access log.
type loadSource struct {
	name     string
	workload loadgen.Workload
	// expected is what users may expect of the routes; it decides which answers are slow and which rows are marked.
	expected []service.Objective
	// scenario is nil for traffic that comes without services.
	scenario *scenario.Scenario
	broken   accesslog.Broken
	duration time.Duration
}

// released is the service that the scenario releases; "" without a scenario.
func (s *loadSource) released() string {
	if s.scenario == nil {
		return ""
	}
	return s.scenario.Release.Service
}

// entry is the service that routes ask which name none; "" without a scenario.
func (s *loadSource) entry() string {
	if s.scenario == nil {
		return ""
	}
	return s.scenario.Services[0].Name
}

// loadSource finds what the command line names, and changes it as the flags say.
func (env *Env) loadSource(name string, f loadPlanFlags) (*loadSource, error) {
	s, err := env.findLoad(name, f)
	if err != nil {
		return nil, err
	}
	if err := f.change(s); err != nil {
		return nil, err
	}
	env.tellBroken(s)
	return s, nil
}

// findLoad looks among the scenarios, then among the workloads, then among the files.
func (env *Env) findLoad(name string, f loadPlanFlags) (*loadSource, error) {
	if f.replay != "" {
		return env.replayed(name, f)
	}
	path := env.path(name)
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		if filepath.Base(path) == scenario.FileScenario {
			return env.scenarioLoad(filepath.Dir(path))
		}
		w, err := scenario.OpenWorkload(path)
		return workloadSource(w, err)
	}
	w, err := scenario.NamedWorkload(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return workloadSource(w, err)
	}
	s, err := env.scenarioLoad(name)
	var input *run.InputError
	if errors.As(err, &input) {
		input.Hint += "\nthe workloads are " + strings.Join(scenario.WorkloadNames(), ", ") + "; a path may also lead to a workload file"
	}
	return s, err
}

func (env *Env) scenarioLoad(name string) (*loadSource, error) {
	src, err := env.openScenario(name)
	if err != nil {
		return nil, err
	}
	s := src.Scenario
	return &loadSource{name: s.Name, workload: s.Traffic, expected: s.Objectives, scenario: s, broken: s.Broken}, src.Close()
}

func workloadSource(w *scenario.Workload, err error) (*loadSource, error) {
	if err != nil {
		return nil, err
	}
	return &loadSource{name: w.Name, workload: w.Traffic, expected: w.Objectives, broken: w.Broken}, nil
}

// replayed takes the requests from a log: by a workload's routes and cohorts where one is named, else by those that the log has.
func (env *Env) replayed(name string, f loadPlanFlags) (*loadSource, error) {
	bare, err := workloadSource(scenario.WorkloadFromLog(env.path(f.replay), f.format, f.speed))
	if err != nil {
		return nil, invalid("name an access log in the common, combined or JSON format", "--replay: %w", err)
	}
	if name == "" {
		return bare, nil
	}
	f.replay = ""
	s, err := env.findLoad(name, f)
	if err != nil {
		return nil, err
	}
	s.broken = bare.broken
	s.workload = onlyTold(s.workload, bare.workload.Replay)
	return s, nil
}

// onlyTold keeps of a workload what a log does not say: the routes, and who the cohorts are.
func onlyTold(w loadgen.Workload, r *loadgen.Replay) loadgen.Workload {
	w.Rate, w.Bursts, w.Replay = loadgen.Curve{}, nil, r
	w.Cohorts = slices.Clone(w.Cohorts)
	for i := range w.Cohorts {
		c := &w.Cohorts[i]
		c.Share, c.Users, c.Mix, c.Zipf, c.Session, c.Items = 0, 0, nil, nil, nil, nil
	}
	return w
}

// change applies the flags that say what is sent.
func (f loadPlanFlags) change(s *loadSource) error {
	replay := s.workload.Replay
	if f.rate > 0 {
		if replay != nil {
			return invalid("use --speed", "--rate: a log has its own rate")
		}
		s.workload.Rate = loadgen.Curve{Constant: f.rate}
	}
	if f.speed > 0 {
		if replay == nil {
			return invalid("use --rate", "--speed is for replayed logs")
		}
		faster := *replay
		faster.Speed = f.speed
		s.workload.Replay = &faster
	}
	s.duration = cmp.Or(f.duration, defaultLoad)
	if f.duration == 0 && replay != nil {
		s.duration = s.workload.Replay.Length()
	}
	return f.addHeaders(s)
}

// addHeaders gives every cohort the headers of the command line.
func (f loadPlanFlags) addHeaders(s *loadSource) error {
	if len(f.headers) == 0 {
		return nil
	}
	var pairs []loadgen.Pair
	for _, text := range f.headers {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return invalid("write 'NAME: VALUE'", "--header %q has no colon", text)
		}
		pairs = append(pairs, loadgen.Pair{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	cohorts := make([]loadgen.Cohort, len(s.workload.Cohorts))
	for i, c := range s.workload.Cohorts {
		c.Headers = append(append([]loadgen.Pair{}, c.Headers...), pairs...)
		cohorts[i] = c
	}
	s.workload.Cohorts = cohorts
	return nil
}

// tellBroken says which lines of a log were left out.
func (env *Env) tellBroken(s *loadSource) {
	if s.broken.Count == 0 {
		return
	}
	fmt.Fprintf(env.Err, "%d of %d lines of the log cannot be read and are left out\n", s.broken.Count, s.broken.Count+len(s.workload.Replay.Lines))
	for _, l := range s.broken.First {
		fmt.Fprintf(env.Err, "  line %d: %s\n", l.Number, l.Reason)
	}
}
