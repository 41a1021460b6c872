package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/runtest"
	"coalmine/lab/run/worker"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
)

// The test binary is also the worker; its name selects how it behaves.
const (
	honest   = "worker"
	glutton  = "worker-that-exhausts-memory"
	dead     = "worker-that-dies"
	babbler  = "worker-that-writes-garbage"
	sleepy   = "worker-that-waits-for-an-interrupt"
	obedient = "worker-that-closes-its-log-when-interrupted"
	startled = "worker-that-prints-its-environment"
	wordy    = "worker-that-writes-long-errors"
	silent   = "worker-that-ends-without-a-word"
	panicky  = "worker-that-panics"
	litterer = "worker-that-leaves-files"
	orphan   = "parent-that-is-killed"
	teller   = "worker-that-tells-its-number"
)

// started is the first line of a log.
const started = `{"seq":1,"at":0,"kind":"run.started","data":{"format":1,"scenario":"s","service":"b","version":"v","baseline":"v","seed":1,"cluster":"c","mesh":"m","guarded":true,"versions":{}}}`

func TestMain(m *testing.M) {
	switch os.Args[0] {
	case honest:
		exit(worker.Serve(context.Background(), os.Stdin, os.Stdout, sim.Cluster{Version: "test"}))
	case glutton:
		exit(worker.Serve(context.Background(), os.Stdin, os.Stdout, hungry{}))
	case dead:
		fmt.Println(started)
		os.Exit(7)
	case babbler:
		fmt.Println(strings.Repeat("no event\n", 100_000))
		os.Exit(0)
	case obedient:
		stopped := make(chan os.Signal, 1)
		signal.Notify(stopped, os.Interrupt)
		fmt.Println(started)
		<-stopped
		fmt.Println(`{"seq":2,"at":1,"kind":"run.ended","data":{"outcome":"interrupted"}}`)
		os.Exit(1)
	case sleepy:
		fmt.Println(started)
		select {}
	case wordy:
		fmt.Fprintln(os.Stderr, "first words", strings.Repeat("and so on ", 100_000))
		os.Exit(1)
	case silent:
		os.Exit(0)
	case panicky:
		panic("out of luck\x1b[2J")
	case litterer:
		if err := os.WriteFile(os.TempDir()+"/left.txt", []byte("x"), 0o600); err != nil {
			exit(err)
		}
		exit(errors.New("left in " + os.TempDir()))
	case orphan:
		playUntilKilled()
	case teller:
		fmt.Println(strings.Replace(started, `"version":"v"`, fmt.Sprintf(`"version":"%d"`, os.Getpid()), 1))
		select {}
	case startled:
		fmt.Fprintln(os.Stderr, "environment:", os.Environ())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// playUntilKilled plays a run in a worker that waits for ever, and prints the number of its
// process.
func playUntilKilled() {
	path, err := os.Executable()
	if err != nil {
		exit(err)
	}
	p := worker.Player{Path: path, Args: []string{teller}}
	exit(p.Play(context.Background(), cluster.RunSpec{Scenario: &scenario.Scenario{}}, func(e event.Event) {
		if start, ok := e.Fact.(event.RunStarted); ok {
			fmt.Println(start.Version)
		}
	}))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hungry is a cluster that allocates without limit.
type hungry struct{}

func (hungry) Describe() cluster.Description { return cluster.Description{} }

func (hungry) Session(context.Context, cluster.RunSpec, *event.Recorder,
	func(context.Context, cluster.World) error) error {
	var all [][]byte
	for {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		runtime.KeepAlive(all)
	}
}

func player(t *testing.T, name string) worker.Player {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return worker.Player{Path: path, Args: []string{name}}
}

func runSpec(t *testing.T, version string) cluster.RunSpec {
	t.Helper()
	return runtest.RunSpec(t, "full-rollout", scenario.Solution, version, 5)
}

// A run in a worker has the same events as one in this process.
func TestWorkerPlaysTheSameRun(t *testing.T) {
	spec := runSpec(t, "v2")
	var here, there []event.Event
	if err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) {
		here = append(here, e)
	}); err != nil {
		t.Fatal(err)
	}
	if err := player(t, honest).Play(context.Background(), spec, func(e event.Event) {
		there = append(there, e)
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runtest.LogText(t, here), runtest.LogText(t, there)); diff != "" {
		t.Errorf("the worker's run differs: %.2000s", diff)
	}
}

// Sessions, bursts, retries and slow clients are sent too.
func TestWorkerPlaysTheSameTraffic(t *testing.T) {
	w, err := scenario.NamedWorkload("browse")
	if err != nil {
		t.Fatal(err)
	}
	spec := runtest.RunSpec(t, "hidden-segment", scenario.Solution, "v2", 5)
	s := *spec.Scenario
	s.Traffic = w.Traffic
	s.Traffic.Bursts = &loadgen.Bursts{Factor: 3, Calm: 20 * time.Second, Burst: 10 * time.Second}
	spec.Scenario = &s
	var here, there []event.Event
	if err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) {
		here = append(here, e)
	}); err != nil {
		t.Fatal(err)
	}
	if err := player(t, honest).Play(context.Background(), spec, func(e event.Event) {
		there = append(there, e)
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runtest.LogText(t, here), runtest.LogText(t, there)); diff != "" {
		t.Errorf("the worker's run differs: %.2000s", diff)
	}
	retries := 0
	for _, e := range here {
		if total, ok := e.Fact.(event.TrafficTotals); ok {
			retries = total.Retries
		}
	}
	if retries == 0 {
		t.Error("no request was retried")
	}
}

// A replayed log is sent as a file and parsed again.
func TestWorkerReplaysTheSameLog(t *testing.T) {
	spec := runSpec(t, "v2")
	s := *spec.Scenario
	s.Traffic = loadgen.Workload{
		Routes: s.Traffic.Routes, Cohorts: []loadgen.Cohort{{Name: s.Traffic.Cohorts[0].Name}},
		Replay: &loadgen.Replay{Log: "access.log", Speed: 0.02},
	}
	s.Log = []byte(accessLog(s.Traffic.Routes[0].Path))
	if err := s.ReadLog(); err != nil {
		t.Fatal(err)
	}
	spec.Scenario = &s
	totals := func(sink func(event.Event)) (requests int) {
		if err := player(t, honest).Play(context.Background(), spec, func(e event.Event) {
			sink(e)
			if total, ok := e.Fact.(event.TrafficTotals); ok {
				requests = total.Answered
			}
		}); err != nil {
			t.Fatal(err)
		}
		return requests
	}
	var here, there []event.Event
	if n := totals(func(e event.Event) { there = append(there, e) }); n != 10 {
		t.Errorf("the worker had answers to %d requests, want the log's 10", n)
	}
	if err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) {
		here = append(here, e)
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runtest.LogText(t, here), runtest.LogText(t, there)); diff != "" {
		t.Errorf("the worker's run differs: %.2000s", diff)
	}
	s.Log = nil
	if err := player(t, honest).Play(context.Background(), spec, func(event.Event) {}); err == nil ||
		!strings.Contains(err.Error(), "the log is empty") {
		t.Errorf("without its log: error %v", err)
	}
}

// accessLog has ten requests for a path, one each second.
func accessLog(path string) string {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "192.0.2.%d - - [07/Mar/2026:12:00:%02d +0000] \"GET %s HTTP/1.1\" 200 5\n", i, i, path)
	}
	return b.String()
}

func TestUnguardedRun(t *testing.T) {
	spec := runSpec(t, "v2")
	spec.Guardrails = nil
	var last event.Event
	if err := player(t, honest).Play(context.Background(), spec, func(e event.Event) { last = e }); err != nil {
		t.Fatal(err)
	}
	if end, ok := last.Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeCompleted {
		t.Errorf("the log ends with %#v", last.Fact)
	}
}

func TestWorkerFailures(t *testing.T) {
	for _, c := range []struct{ name, want, outcome string }{
		{dead, "ended early", event.OutcomeLabFault},
		// who tells of it depends on who runs out first: the runtime, or a race detector
		{glutton, "", event.OutcomeLabFault},
		{babbler, "not an event", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == glutton && runtime.GOOS != "linux" {
				t.Skip("memory is limited on Linux only")
			}
			var last event.Event
			err := player(t, c.name).Play(context.Background(), runSpec(t, "v2"), func(e event.Event) { last = e })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			end, closed := last.Fact.(event.RunEnded)
			if closed != (c.outcome != "") || end.Outcome != c.outcome || strings.Contains(end.Reason, "goroutine") {
				t.Errorf("the log ends with %#v, want outcome %q", last.Fact, c.outcome)
			}
		})
	}
}

func TestInterruptEndsTheWorker(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var last event.Event
	began := time.Now()
	err := player(t, sleepy).Play(ctx, runSpec(t, "v2"), func(e event.Event) { last = e; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if end, ok := last.Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeInterrupted {
		t.Errorf("the log ends with %#v", last.Fact)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestTimeout(t *testing.T) {
	p := player(t, obedient) // it would call the run interrupted, if it were asked
	p.Timeout = 300 * time.Millisecond
	var last event.Event
	err := p.Play(context.Background(), runSpec(t, "v2"), func(e event.Event) { last = e })
	if err == nil || !strings.Contains(err.Error(), "took longer than 300ms") {
		t.Errorf("error %v, want that it took too long", err)
	}
	// On a busy machine the worker may not have written its first line; then there is no log to
	// close.
	if end, ok := last.Fact.(event.RunEnded); last.Fact != nil && (!ok || end.Outcome != event.OutcomeLabFault) {
		t.Errorf("the log ends with %#v, want the lab's fault", last.Fact)
	}
}

// Guardrails must not see the environment (tokens, addresses).
func TestWorkerEnvironment(t *testing.T) {
	t.Setenv("COALMINE_SECRET", "hush")
	err := player(t, startled).Play(context.Background(), runSpec(t, "v2"), func(event.Event) {})
	if err == nil || !strings.Contains(err.Error(), "environment: [TMPDIR=") {
		t.Errorf("error %v, want the environment", err)
	}
	if strings.Contains(fmt.Sprint(err), "hush") {
		t.Error("the worker inherits the environment")
	}
}

func TestStderrIsLimited(t *testing.T) {
	err := player(t, wordy).Play(context.Background(), runSpec(t, "v2"), func(event.Event) {})
	if err == nil || !strings.Contains(err.Error(), "first words") || len(err.Error()) > 10_000 {
		t.Errorf("an error of %d bytes: %.100v", len(fmt.Sprint(err)), err)
	}
}

func TestDeadWorkersAreQuotedShort(t *testing.T) {
	for name, want := range map[string]string{
		silent:  "worker: the run ended early: the program did not play it; was it replaced?",
		panicky: "worker: panic: out of luck[2J",
	} {
		err := player(t, name).Play(context.Background(), runSpec(t, "v2"), func(event.Event) {})
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %q, want %q", name, err, want)
		}
	}
}

func TestFilesOfAWorkerAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	err := player(t, litterer).Play(context.Background(), runSpec(t, "v2"), func(event.Event) {})
	if err == nil || !strings.Contains(err.Error(), "left in "+os.TempDir()) {
		t.Errorf("error %v, want the worker's folder", err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v: left behind", left, err)
	}
}
