// Package conformance is the contract of [cluster.Cluster] as tests: one suite of checks for the
// sim and for real clusters. A few short runs are played once, and all checks read their logs.
//
// The package does not know any cluster. A [Tolerance] has the accepted differences between virtual
// and real time.
package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/verdict/timeline"
)

// Options configure the suite.
type Options struct {
	// Tolerance is [Virtual] or [Real].
	Tolerance Tolerance
	// Player plays the runs; nil plays them in this process.
	Player run.Player
	// Logs is a folder for the log of each run, as NAME.jsonl; "" for none.
	Logs string
	// Seed of all runs; 0 means 1.
	Seed uint64
	// Failed is called with each finding, as well as the test's own log; nil means not.
	Failed func(check, run, finding string)
}

// reportFailure passes a finding on.
func (o Options) reportFailure(check, run, finding string) {
	if o.Failed != nil {
		o.Failed(check, run, finding)
	}
}

// Run plays the runs of the suite on a cluster and checks their logs, as subtests named CHECK/RUN.
// If a run cannot be played, its own subtest fails and its checks are skipped.
func Run(t *testing.T, c cluster.Cluster, o Options) {
	t.Helper()
	logs := map[string]*Log{}
	for _, name := range Names() {
		t.Run("run/"+name, func(t *testing.T) { logs[name] = playRun(t, c, name, o) })
	}
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			for _, name := range check.Runs {
				t.Run(name, func(t *testing.T) { runCheck(t, check, name, logs[name], o) })
			}
		})
	}
}

func playRun(t *testing.T, c cluster.Cluster, name string, o Options) *Log {
	f, err := Spec(name, max(o.Seed, 1))
	if err != nil {
		t.Fatal(err)
	}
	player := o.Player
	if player == nil {
		player = run.InProcess{Cluster: c}
	}
	begin := time.Now()
	events, err := Play(t.Context(), player, f, logProgress(t, begin))
	if o.Logs != "" {
		writeLog(t, filepath.Join(o.Logs, name+".jsonl"), events)
	}
	if err != nil {
		o.reportFailure("run", name, err.Error())
		t.Fatalf("the run was not played: %v", err)
	}
	t.Logf("%d events in %v", len(events), time.Since(begin).Round(time.Second))
	return NewLog(f, c.Describe(), o.Tolerance, events)
}

// Play plays a run and returns its events, even with an error. It calls also with each event.
func Play(ctx context.Context, player run.Player, f cluster.RunSpec, also func(event.Event)) ([]event.Event, error) {
	var events []event.Event
	err := player.Play(ctx, f, func(e event.Event) {
		events = append(events, e)
		if also != nil {
			also(e)
		}
	})
	return events, err
}

// logProgress returns a function that logs stages and phases.
func logProgress(t *testing.T, begin time.Time) func(event.Event) {
	phase := ""
	return func(e event.Event) {
		switch f := e.Fact.(type) {
		case event.Stage:
			t.Logf("%5.0f s  stage %s", time.Since(begin).Seconds(), f.Name)
		case event.Canary:
			if f.Phase != phase {
				phase = f.Phase
				t.Logf("%5.0f s  phase %s", time.Since(begin).Seconds(), phase)
			}
		}
	}
}

func writeLog(t *testing.T, name string, events []event.Event) {
	var b bytes.Buffer
	w := event.NewWriter(&b)
	for _, e := range events {
		w.Write(e)
	}
	err := w.Close()
	if err == nil {
		err = os.WriteFile(name, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Errorf("write the log: %v", err)
	}
}

func runCheck(t *testing.T, c Check, name string, l *Log, o Options) {
	if l == nil {
		t.Skip("the run was not played")
	}
	for _, finding := range c.Run(l) {
		t.Error(finding)
		o.reportFailure(c.Name, name, finding)
	}
	if t.Failed() {
		t.Logf("the contract: %s", c.Contract)
	}
}

// Log is the log of a run that checks read.
type Log struct {
	Spec cluster.RunSpec
	// Cluster is the cluster's own description.
	Cluster   cluster.Description
	Tolerance Tolerance
	Events    []event.Event
	// Timeline is the timeline of the events.
	Timeline *timeline.Timeline
}

// NewLog returns the log of a run's events.
func NewLog(f cluster.RunSpec, d cluster.Description, allow Tolerance, events []event.Event) *Log {
	return &Log{Spec: f, Cluster: d, Tolerance: allow, Events: events, Timeline: timeline.Build(events)}
}

// Check is one promise of a cluster.
type Check struct {
	// Name is the name of the subtest.
	Name string
	// Contract is the promise.
	Contract string
	// Runs are the names of the runs whose logs it reads.
	Runs []string

	run func(*Log, *Findings)
}

// Run returns what is wrong with a log, nothing if the promise is kept.
func (c Check) Run(l *Log) []string {
	f := &Findings{}
	c.run(l, f)
	return f.list
}

// maxFindings bounds the findings of a check: the first ones are enough to see what is wrong.
const maxFindings = 8

// Findings are what a check finds wrong.
type Findings struct {
	list []string
	left int
}

// Addf adds a finding.
func (f *Findings) Addf(format string, args ...any) {
	if len(f.list) == maxFindings {
		f.left++
		return
	}
	f.list = append(f.list, fmt.Sprintf(format, args...))
}
