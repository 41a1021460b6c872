package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/verdict/score"
)

// fakeCluster is a cluster on which the faulty version hurts users from the release on, until the
// guardrails, if there are any, roll it back. With careless set they promote it, with fussy they
// roll back the healthy version too.
type fakeCluster struct {
	careless, fussy bool
	broken          bool
	// tuned guardrails are careless on check seeds.
	tuned bool
	// stop interrupts the trial at the given release.
	stop   context.CancelFunc
	stopAt int
	seen   int
}

func (*fakeCluster) Describe() cluster.Description {
	return cluster.Description{Cluster: "fake", Mesh: "none", Versions: map[string]string{"fake": "1"}}
}

func (s *fakeCluster) Session(ctx context.Context, f cluster.RunSpec, rec *event.Recorder,
	body func(context.Context, cluster.World) error) error {
	return body(ctx, &fakeWorld{fakeCluster: s, spec: f, rec: rec})
}

type fakeWorld struct {
	*fakeCluster
	spec     cluster.RunSpec
	rec      *event.Recorder
	now      time.Duration
	released time.Duration
	phase    string
}

// lag is how long guardrails take to decide.
const lag = time.Minute

func (w *fakeWorld) Now() time.Duration { return w.now }
func (w *fakeWorld) Phase() string      { return w.phase }

func (w *fakeWorld) Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error) {
	for w.now < until && (condition == nil || !condition()) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		w.now += time.Second
		w.pass()
	}
	return condition != nil && condition(), nil
}

// pass is a second after the release: users get answers, and the canary decides when it is time.
func (w *fakeWorld) pass() {
	if w.released == 0 {
		return
	}
	faulty := w.spec.Scenario.Role(w.spec.Version) == "faulty"
	guarded := w.spec.Guardrails != nil
	if guarded && w.now == w.released+time.Second {
		w.canary("Progressing", 50, 0)
	}
	if guarded && w.now < w.released+lag && (w.now-w.released)%(10*time.Second) == 0 {
		const successRate = `100 * sum(response_total{deployment="backend",classification="success"}) ` +
			`/ sum(response_total{deployment="backend"})`
		q := event.Query{Asker: "backend", Metric: "success-rate", PromQL: successRate, Min: new(98.0),
			Value: new(99.0)}
		if faulty {
			q.Min = new(99.5)
		}
		w.rec.Record(w.now, "query", q)
	}
	if guarded && w.now == w.released+lag {
		careless := w.careless || w.tuned && w.spec.Scenario.Drawn != nil
		w.decide(faulty && !careless || !faulty && w.fussy)
	}
	cell := event.Cell{Cohort: "shoppers", Route: "catalogue", Workload: "backend", Version: w.spec.Version, N: 20}
	if faulty && w.phase != "Failed" {
		cell.Errors, cell.Bad, cell.Hit, cell.Harm = 10, 10, 10, 10
	}
	if w.phase == "Failed" {
		cell.Workload, cell.Version = "backend-primary", "v1"
	}
	w.rec.Record(w.now, "traffic", event.Traffic{From: event.Seconds(w.now - time.Second), To: event.Seconds(w.now),
		Cells: []event.Cell{cell}})
}

func (w *fakeWorld) decide(back bool) {
	if back {
		w.canary("Progressing", 50, 2)
		w.canary("Failed", 0, 2)
		return
	}
	w.canary("Promoting", 100, 0)
	w.canary("Succeeded", 0, 0)
}

func (w *fakeWorld) canary(phase string, weight, failed int) {
	w.phase = phase
	w.rec.Record(w.now, "canary", event.Canary{Name: "backend", Namespace: "develop", Phase: phase, Weight: weight,
		FailedChecks: failed, Threshold: 2})
}

func (w *fakeWorld) ApplyGuardrails(context.Context) error {
	if w.broken {
		return errors.New("the cluster fell over")
	}
	w.canary("Initialized", 0, 0)
	return nil
}

func (w *fakeWorld) StartTraffic(context.Context) error { return nil }

func (w *fakeWorld) Release(context.Context) error {
	if w.stop != nil {
		if w.seen++; w.seen == w.stopAt {
			w.stop()
		}
	}
	w.released = w.now
	w.rec.Record(w.now, "story", event.Released{Service: "backend", Version: w.spec.Version})
	if w.spec.Guardrails != nil {
		w.canary("Progressing", 50, 0)
	}
	return nil
}

func (w *fakeWorld) StopTraffic(context.Context) error {
	w.rec.Record(w.now, "traffic", event.TrafficTotals{Planned: 1, Answered: 1})
	return nil
}

// testEnv is an environment around a fake cluster, with the output of commands.
type testEnv struct {
	*Env
	out, err bytes.Buffer
}

func newTestEnv(t *testing.T, s *fakeCluster) *testEnv {
	th := &testEnv{}
	th.Env = &Env{
		In: strings.NewReader(""), Out: &th.out, Err: &th.err, Width: defaultWidth, Dir: t.TempDir(), Workers: 1,
		CheckSeeds:   2,
		Version:      "test",
		BinaryDigest: func() string { return strings.Repeat("0", 64) },
		Now: func() time.Time {
			return testTime
		}, Getenv: func(string) string { return "" }, Cluster: s, Player: run.InProcess{Cluster: s},
	}
	return th
}

// testTime is what the clock of a testEnv shows.
var testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func (th *testEnv) run(ctx context.Context, args ...string) int {
	th.out.Reset()
	th.err.Reset()
	return execute(ctx, th.Env, args)
}

func TestRunExitCodes(t *testing.T) {
	for name, test := range map[string]struct {
		cluster *fakeCluster
		args    []string
		code    int
		says    string
	}{
		"caught and delivered":     {&fakeCluster{}, nil, score.ExitPassed, "PASSED"},
		"the incident was missed":  {&fakeCluster{careless: true}, nil, score.ExitMissed, "INCIDENT MISSED"},
		"the healthy one held up":  {&fakeCluster{fussy: true}, nil, score.ExitRolledBack, "HEALTHY"},
		"the lab failed":           {&fakeCluster{broken: true}, nil, score.ExitLabFailed, "the cluster fell over"},
		"the faulty version alone": {&fakeCluster{}, []string{"--version", "v2"}, score.ExitPassed, "rolled back"},
		"the faulty version missed": {&fakeCluster{careless: true}, []string{"--version", "v2"}, score.ExitMissed,
			"promoted"},
		"the healthy version alone": {&fakeCluster{}, []string{"--version", "v3"}, score.ExitPassed, "promoted"},
		"the healthy version halted": {&fakeCluster{fussy: true}, []string{"--version", "v3"}, score.ExitRolledBack,
			"rolled back"},
		"the old version once more": {&fakeCluster{}, []string{"--version", "v1"}, score.ExitInvalid,
			"backend runs version v1 already"},
	} {
		t.Run(name, func(t *testing.T) {
			th := newTestEnv(t, test.cluster)
			args := append([]string{"run", "full-rollout", "-g", "naive", "--trials", "1"}, test.args...)
			if code := th.run(t.Context(), args...); code != test.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, test.code, &th.out, &th.err)
			}
			if said := th.out.String() + th.err.String(); !strings.Contains(said, test.says) {
				t.Errorf("nothing says %q:\n%s", test.says, said)
			}
		})
	}
}

func TestRunPlaysEveryRole(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	th.Workers = 3
	if code := th.run(t.Context(), "run", "full-rollout", "-g", "naive", "--seed", "5", "--trials", "2", "-o",
		"result", "--approve", "90s", "--nonce", "abc"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &th.err)
	}
	dir, err := folder.Open(filepath.Join(th.Dir, "result"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	want := folder.Manifest{
		Format: folder.Format, Scenario: "full-rollout", Started: testTime, Versions: map[string]string{"fake": "1"},
		Options: folder.Options{Guardrails: "naive", Approve: "1m30s", CheckSeeds: 2, Nonce: "abc", NonceGiven: true},
		Runs: []folder.Run{
			{Role: "faulty", Seed: 5, Version: "v2"}, {Role: "healthy", Seed: 5, Version: "v3"},
			{Role: "unguarded", Seed: 5, Version: "v2"}, {Role: "reference", Seed: 5, Version: "v2"},
			{Role: "faulty", Seed: 6, Version: "v2"}, {Role: "healthy", Seed: 6, Version: "v3"},
			{Role: "unguarded", Seed: 6, Version: "v2"}, {Role: "reference", Seed: 6, Version: "v2"},
		},
	}
	evidence, check := dir.Manifest.Evidence, dir.Manifest.Check
	dir.Manifest.Evidence, dir.Manifest.Check = nil, nil
	if diff := cmp.Diff(want, dir.Manifest); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
	if evidence == nil || !slices.Equal(evidence.Seeds, []uint64{5, 6}) || len(evidence.Logs) != 8 ||
		evidence.Own != "naive" ||
		evidence.Binary != (folder.Binary{Version: "test", Digest: strings.Repeat("0", 64)}) ||
		!evidence.Date.Equal(testTime) {
		t.Errorf("the evidence is %+v", evidence)
	}
	if len(check) != 2 || check[0].Exit != 0 || len(check[0].Drawn) == 0 || len(check[0].Logs) != 3 {
		t.Errorf("the check seeds are %+v", check)
	}
	for _, r := range dir.Manifest.Runs {
		events, err := dir.Events(r)
		if err != nil {
			t.Fatal(err)
		}
		if start := events[0].Fact.(event.RunStarted); start.Guarded == (r.Role == "unguarded") {
			t.Errorf("%s was played with guarded=%v", r.Name(), start.Guarded)
		}
	}
	for _, name := range []string{"guardrails/canary.yaml", "scenario/scenario.yaml", "scenario/briefing.md",
		"card.json", "card.txt"} {
		if _, err := os.Stat(filepath.Join(th.Dir, "result", name)); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(th.err.String(), "8 of 8: ") {
		t.Errorf("the progress does not tell of 8 runs:\n%s", &th.err)
	}
}

func TestReportRepeatsRun(t *testing.T) {
	for _, args := range [][]string{nil, {"--json"}, {"--version", "v2"}} {
		th := newTestEnv(t, &fakeCluster{careless: true})
		first := th.run(t.Context(), append([]string{"run", "full-rollout", "-g", "naive", "--trials", "1", "-o",
			"result"}, args...)...)
		said := th.out.String()
		report := []string{"report", "result"}
		if len(args) == 1 {
			report = append(report, "--json")
		}
		if code := th.run(t.Context(), report...); code != first || th.out.String() != said || said == "" {
			t.Errorf("%v: exit code %d, was %d; output (-run +report):\n%s", args, code, first,
				cmp.Diff(said, th.out.String()))
		}
	}
}

func TestReportOnAnInterruptedRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	th := newTestEnv(t, &fakeCluster{stop: stop, stopAt: 2})
	if code := th.run(ctx, "run", "full-rollout", "-g", "naive", "--trials", "1", "-o",
		"result"); code != score.ExitInconclusive {
		t.Errorf("exit code %d, want %d", code, score.ExitInconclusive)
	}
	if said := th.err.String(); !strings.Contains(said, "interrupted") || !strings.Contains(said, "result") {
		t.Errorf("it does not say what became of the run:\n%s", said)
	}
	if code := th.run(t.Context(), "report", "result"); code != score.ExitInconclusive ||
		!strings.Contains(th.err.String(), "unguarded-seed1, reference-seed1 were not played") {
		t.Errorf("report: exit code %d\n%s%s", code, &th.out, &th.err)
	}
}

// TestInterruptedTrialDoesNotPass interrupts a trial whose faulty and healthy releases have all
// been judged.
func TestInterruptedTrialDoesNotPass(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	th := newTestEnv(t, &fakeCluster{stop: stop, stopAt: 7})
	th.run(ctx, "run", "full-rollout", "-g", "naive", "--trials", "2", "-o", "result")
	code := th.run(t.Context(), "report", "result")
	if said := th.err.String(); code != score.ExitInconclusive ||
		!strings.Contains(said, "reference-seed2 was not played") {
		t.Errorf("report: exit code %d\n%s%s", code, &th.out, said)
	}
	said := strings.Join(strings.Fields(th.out.String()), " ") // the card wraps its lines
	for _, want := range []string{"INCONCLUSIVE", "not every run of the trial was played: 2 of 2 faulty releases " +
		"caught, 2 of 2 healthy releases delivered"} {
		if !strings.Contains(said, want) {
			t.Errorf("the card does not say %q:\n%s", want, &th.out)
		}
	}
}

func TestRunFolders(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	args := []string{"run", "full-rollout", "-g", "naive", "--trials", "1"}
	for _, want := range []string{"full-rollout-1", "full-rollout-2"} {
		if code := th.run(t.Context(), args...); code != 0 {
			t.Fatalf("exit code %d\n%s", code, &th.err)
		}
		if _, err := os.Stat(filepath.Join(th.Dir, "runs", want, "card.txt")); err != nil {
			t.Error(err)
		}
	}
	if code := th.run(t.Context(), append(args, "-o", "runs/full-rollout-1")...); code != score.ExitInvalid {
		t.Errorf("a run folder was written over: exit code %d", code)
	}
}

// nowhere is a log that keeps nothing.
type nowhere struct{}

func (nowhere) Write(event.Event) {}
func (nowhere) Close() error      { return nil }

func TestProgressOnATerminal(t *testing.T) {
	var w bytes.Buffer
	now := time.Unix(0, 0)
	env := &Env{Err: &w, ErrTerminal: true, Width: 44, Now: func() time.Time { return now }}
	p := newProgressLine(env, 4)
	log := p.follow(folder.Run{Role: "faulty", Seed: 1}, nowhere{})
	log.Write(event.Event{At: 65 * time.Second, Fact: event.Canary{Phase: "Progressing", Weight: 25}})
	log.Write(event.Event{At: 66 * time.Second, Fact: event.Stage{}}) // too early to draw
	now = now.Add(redrawEvery)
	log.Write(event.Event{At: 130 * time.Second, Fact: event.Stage{}})
	_ = log.Close()
	p.close()
	want := "\r\x1b[K0 of 4 runs · faulty seed 1 at 01:05 · Prog…\r\x1b[K0 of 4 runs · faulty seed 1 at 02:10 · " +
		"Prog…\r\x1b[K"
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Errorf("the terminal got (-want +got):\n%s", diff)
	}
}

// TestReportAfterKill is about a process that had no time to close its logs.
func TestReportAfterKill(t *testing.T) {
	for name, test := range map[string]struct {
		keep func(size int64) int64
		says string
	}{
		"in the middle of a log":  {func(size int64) int64 { return size - 10 }, "the log is cut off"},
		"in the first line":       {func(int64) int64 { return 10 }, "healthy-seed1 was not played"},
		"before anything was out": {func(int64) int64 { return 0 }, "healthy-seed1 was not played"},
	} {
		t.Run(name, func(t *testing.T) {
			th := newTestEnv(t, &fakeCluster{})
			th.run(t.Context(), "run", "full-rollout", "-g", "naive", "--trials", "1", "-o", "result")
			log := filepath.Join(th.Dir, "result", "runs", "healthy-seed1", "events.jsonl")
			info, err := os.Stat(log)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(log, test.keep(info.Size())); err != nil {
				t.Fatal(err)
			}
			if code := th.run(t.Context(), "report", "result"); code != score.ExitInconclusive ||
				!strings.Contains(th.err.String(), test.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, score.ExitInconclusive, test.says,
					&th.out, &th.err)
			}
		})
	}
}
