package loadtest

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// source is what is sent: the traffic of a scenario, a workload, or an access log.
type source struct {
	name     string
	workload loadgen.Workload
	// objectives of the routes decide which responses are slow and which rows of the report are
	// marked.
	objectives []service.Objective
	// scenario is nil for traffic without services.
	scenario *scenario.Scenario
	broken   accesslog.Broken
	duration time.Duration
	// isMerged is set if routes and cohorts are not derived from the log but from a named workload,
	// whose routes the router has.
	isMerged bool
	router   *loadgen.Router
}

// openSource finds the source of a name and applies the options, which it completes.
func openSource(ctx context.Context, name string, o Options) (s *source, full Options, err error) {
	switch {
	case o.Plan.Targets != "" && (name != "" || o.Plan.Replay != "" || len(o.Target.URLs) > 0):
		return nil, o, input.New("remove one of them", "--targets says what is requested and where, so it cannot be "+
			"combined with a workload, --replay or --target")
	case o.Plan.Targets != "" && (o.Plan.Method != "" || o.Plan.Body != ""):
		return nil, o, input.New("write them into the file", "--targets cannot be combined with --method and --body")
	case o.Plan.Targets != "":
		o, s, err = o.fromTargets(ctx)
	case IsURL(name) && o.Plan.Replay != "":
		return nil, o, input.New("write --target URL", "a log is replayed to a target")
	case IsURL(name) || name == "" && o.Plan.Replay == "":
		o, s, err = o.quick(ctx, name)
	case o.Plan.Method != "":
		return nil, o, input.New("remove it, or name a URL", "--method is for a URL in place of a workload")
	case o.Plan.Body != "":
		return nil, o, input.New("remove it, or set the body of a route in the workload", "--body is for a URL in "+
			"place of a workload")
	default:
		s, err = findSource(ctx, name, o)
	}
	if err != nil {
		return nil, o, err
	}
	if err := s.applyWeights(ctx, o); err != nil {
		return nil, o, err
	}
	return s, o, s.apply(o.Plan)
}

// findSource looks for a file, then for a workload, then for a scenario.
func findSource(ctx context.Context, name string, o Options) (*source, error) {
	if o.Plan.Replay != "" {
		return replaySource(ctx, name, o)
	}
	path := o.path(name)
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		if filepath.Base(path) == scenario.FileScenario {
			return scenarioSource(o.Dir, filepath.Dir(name))
		}
		return workloadSource(scenario.OpenWorkload(ctx, path))
	}
	w, err := scenario.NamedWorkload(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return workloadSource(w, err)
	}
	s, err := scenarioSource(o.Dir, name)
	var input *input.Error
	if errors.As(err, &input) {
		input.Hint += "\nthe workloads are " + strings.Join(scenario.WorkloadNames(), ", ") +
			"; a path may also lead to a workload file"
	}
	return s, err
}

func scenarioSource(dir, name string) (*source, error) {
	src, err := trial.Open(dir, name)
	if err != nil {
		return nil, err
	}
	s := src.Scenario
	return &source{name: s.Name, workload: s.Traffic, objectives: s.Objectives, scenario: s,
		broken: s.Broken}, src.Close()
}

func workloadSource(w *scenario.Workload, err error) (*source, error) {
	if err != nil {
		return nil, err
	}
	return &source{name: w.Name, workload: w.Traffic, objectives: w.Objectives, broken: w.Broken}, nil
}

// replaySource takes the requests from a log. Routes and cohorts are those of a named workload, or
// are derived from the log.
func replaySource(ctx context.Context, name string, o Options) (*source, error) {
	fromLog, err := workloadSource(scenario.WorkloadFromLog(ctx, o.path(o.Plan.Replay), o.Plan.LogFormat,
		o.Plan.Speed))
	if err != nil {
		return nil, input.New("name an access log in the common, combined or JSON format, or of Envoy, Istio or an ALB",
			"--replay: %w", err)
	}
	if name == "" {
		return fromLog, nil
	}
	o.Plan.Replay = ""
	s, err := findSource(ctx, name, o)
	if err != nil {
		return nil, err
	}
	s.broken, s.isMerged, s.router = fromLog.broken, true, s.workload.Router("")
	s.workload = withReplay(s.workload, fromLog.workload.Replay)
	return s, nil
}

// withReplay keeps from a workload what a log does not contain: the routes, and how to recognise
// the cohorts.
func withReplay(w loadgen.Workload, r *loadgen.Replay) loadgen.Workload {
	w.Rate, w.Bursts, w.Replay = loadgen.Curve{}, nil, r
	w.Cohorts = slices.Clone(w.Cohorts)
	for i := range w.Cohorts {
		c := &w.Cohorts[i]
		c.Share, c.Users, c.Mix, c.Zipf, c.Session, c.Items, c.CacheBuster = 0, 0, nil, nil, nil, nil, ""
	}
	return w
}

// apply changes the source as the options say.
func (s *source) apply(o PlanOptions) error {
	replay := s.workload.Replay
	if o.Rate > 0 {
		if replay != nil {
			return input.New("use --speed", "--rate does not apply to a replayed log, which has its own rate")
		}
		s.workload.Rate = loadgen.Curve{Constant: o.Rate}
	}
	if o.Ramp > 0 {
		rate := s.workload.Rate.Constant
		switch {
		case replay != nil:
			return input.New("remove it", "--ramp does not apply to a replayed log, which has its own rate")
		case rate == 0:
			return input.New("add --rate", "--ramp needs a constant rate, but the workload's rate is a curve")
		}
		s.workload.Rate = loadgen.Curve{Ramp: &loadgen.Ramp{To: rate, Over: o.Ramp}}
	}
	if o.Speed > 0 {
		if replay == nil {
			return input.New("use --rate", "--speed only applies to replayed logs")
		}
		faster := *replay
		faster.Speed = o.Speed
		s.workload.Replay = &faster
	}
	s.duration = cmp.Or(o.Duration, DefaultDuration)
	if o.Duration == 0 && replay != nil {
		s.duration = s.workload.Replay.Length()
	}
	return s.addHeaders(o.Headers)
}

// addHeaders adds headers to every cohort, and takes those of the same names from the routes.
func (s *source) addHeaders(headers []string) error {
	var pairs []loadgen.Pair
	for _, text := range headers {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return input.New("write 'NAME: VALUE'", "--header %q has no colon", text)
		}
		pairs = append(pairs, loadgen.Pair{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if len(pairs) == 0 {
		return nil
	}
	s.workload.Cohorts = slices.Clone(s.workload.Cohorts)
	for i := range s.workload.Cohorts {
		c := &s.workload.Cohorts[i]
		c.Headers = slices.Concat(c.Headers, pairs)
	}
	s.workload.Routes = slices.Clone(s.workload.Routes)
	for i := range s.workload.Routes {
		r := &s.workload.Routes[i]
		r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(x loadgen.Pair) bool {
			return slices.ContainsFunc(pairs, func(y loadgen.Pair) bool { return strings.EqualFold(x.Name, y.Name) })
		})
	}
	return nil
}

// releasedService returns the service that the scenario releases, or "" without a scenario.
func (s *source) releasedService() string {
	if s.scenario == nil {
		return ""
	}
	return s.scenario.Release.Service
}

// defaultService returns the service of routes that name none, or "" without a scenario.
func (s *source) defaultService() string {
	if s.scenario == nil {
		return ""
	}
	return s.scenario.Services[0].Name
}
