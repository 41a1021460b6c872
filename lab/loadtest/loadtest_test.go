package loadtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/input"
	"coalmine/lab/loadtest"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen/results"
)

const accessLog = `10.0.0.1 - - [07/Mar/2026:12:00:00 +0000] "GET /api/items HTTP/1.1" 200 5
broken
10.0.0.2 - - [07/Mar/2026:12:00:02 +0000] "GET /other HTTP/1.1" 200 5
`

// options are those of a short plan, relative to a folder with an access log.
func options(t *testing.T) loadtest.Options {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "access.log"), []byte(accessLog), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadtest.Options{
		Dir:    dir,
		Plan:   loadtest.PlanOptions{Seed: 1, Duration: 2 * time.Second, Rate: 50},
		Target: loadtest.TargetOptions{Timeout: 5 * time.Second},
	}
}

func newTest(t *testing.T, name string, o loadtest.Options) *loadtest.Test {
	t.Helper()
	test, err := loadtest.New(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return test
}

func ignore(event.Event) {}

func TestNewRejects(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		change func(*loadtest.Options)
		want   string
	}{
		"no scenario": {"nowhere", func(*loadtest.Options) {}, "the workloads are browse"},
		"no log":      {"", func(o *loadtest.Options) { o.Plan.Replay = "none.log" }, "--replay: "},
		"rate of a log": {"", func(o *loadtest.Options) {
			o.Plan.Replay = "access.log"
		}, "--rate does not apply to a replayed log"},
		"ramp of a log": {"", func(o *loadtest.Options) {
			o.Plan.Replay, o.Plan.Rate, o.Plan.Ramp = "access.log", 0, time.Second
		}, "--ramp does not apply to a replayed log"},
		"ramp of a curve": {"flash-sale", func(o *loadtest.Options) {
			o.Plan.Rate, o.Plan.Ramp = 0, time.Second
		}, "--ramp needs a constant rate"},
		"speed of a plan": {"browse", func(o *loadtest.Options) {
			o.Plan.Speed = 2
		}, "--speed only applies to replayed logs"},
		"header": {"browse", func(o *loadtest.Options) {
			o.Plan.Headers = []string{"X"}
		}, `--header "X" has no colon`},
		"shard":     {"browse", func(o *loadtest.Options) { o.Plan.Shard = "4/3" }, `--shard "4/3"`},
		"objective": {"browse", func(o *loadtest.Options) { o.Objectives = []string{"p99"} }, "--objective: "},
	} {
		o := options(t)
		c.change(&o)
		_, err := loadtest.New(t.Context(), c.source, o)
		var input *input.Error
		if !errors.As(err, &input) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// A ramp of 10 s to 50/s, then 10 s at 50/s, have 250 and 500 arrivals on average.
func TestRamp(t *testing.T) {
	o := options(t)
	o.Plan.Ramp, o.Plan.Duration = 10*time.Second, 20*time.Second
	p := newTest(t, "browse", o).Plan()
	if got := p.Expected(); got != 750 {
		t.Errorf("%g requests are expected, not 750", got)
	}
	o = options(t)
	o.Plan.Rate, o.Plan.Ramp, o.Plan.Duration = 0, 10*time.Second, 10*time.Second
	p = newTest(t, "http://127.0.0.1:1/", o).Plan()
	if got := p.Expected(); got != 250 {
		t.Errorf("%g requests of a URL are expected, not 250", got)
	}
}

func TestReplayKeepsRoutesAndCohorts(t *testing.T) {
	o := options(t)
	o.Plan.Rate, o.Plan.Duration, o.Plan.Speed = 0, 0, 2
	o.Plan.Replay, o.Plan.Headers = "access.log", []string{"X-Test: 1"}
	test := newTest(t, "hidden-segment", o)
	if broken, parsed := test.BrokenLines(); broken.Count != 1 || parsed != 2 {
		t.Errorf("%d broken and %d parsed lines", broken.Count, parsed)
	}
	if d := test.Plan().Duration(); d != 1500*time.Millisecond {
		t.Errorf("duration %v, want half of 3s", d)
	}
	var routes []string
	for _, r := range test.Plan().Routes() {
		routes = append(routes, r.Name)
	}
	if got := strings.Join(routes, " "); got != "catalogue item checkout other" {
		t.Errorf("routes %s", got)
	}
	for i, c := range test.Plan().Cohorts() {
		if got := test.Plan().Header(uint16(i), 0, "X-Test"); got != "1" {
			t.Errorf("cohort %s sends X-Test %q", c.Name, got)
		}
	}
}

// What a workload of the library says about its users does not apply to a log.
func TestReplayIgnoresUsersOfTheWorkload(t *testing.T) {
	for _, workload := range []string{"browse", "flash-sale"} {
		o := options(t)
		o.Plan.Rate, o.Plan.Duration, o.Plan.Replay = 0, 0, "access.log"
		if n := newTest(t, workload, o).Plan().Expected(); n != 2 {
			t.Errorf("%s: %g requests", workload, n)
		}
	}
}

// TestNotes checks that cohorts and routes which do not fit a log are named.
func TestNotes(t *testing.T) {
	o := options(t)
	o.Plan.Rate, o.Plan.Duration, o.Plan.Replay = 0, 0, "access.log"
	notes := strings.Join(newTest(t, "hidden-segment", o).Notes(), "\n")
	for _, want := range []string{"cohort regular has no match", "premium gets none", "1 of 2 requests have no route"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not in %q", want, notes)
		}
	}
	if notes := newTest(t, "", o).Notes(); notes != nil {
		t.Errorf("a log alone: %q", notes)
	}
	if notes := newTest(t, "browse", options(t)).Notes(); notes != nil {
		t.Errorf("no log: %q", notes)
	}
}

// TestWritePlanAsSent checks that the plan has the targets and headers that are sent.
func TestWritePlanAsSent(t *testing.T) {
	const lines = `192.0.2.1 - - [07/Mar/2026:12:00:00 +0000] "GET /caf\xC3\xA9|\xFFb HTTP/1.1" 200 5 "http://r.test/" "Fox/1"
192.0.2.2 - - [07/Mar/2026:12:00:01 +0000] "GET /b HTTP/1.1" 200 5 "-" "Crow/2"
`
	o := options(t)
	o.Plan.Rate, o.Plan.Duration, o.Plan.Replay = 0, 0, "odd.log"
	if err := os.WriteFile(filepath.Join(o.Dir, "odd.log"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	var sent []string
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.RequestURI+" "+r.UserAgent()+" "+r.Referer())
	}))
	defer web.Close()
	o.Target.URLs = []string{web.URL}
	test := newTest(t, "", o)
	var planned bytes.Buffer
	if err := test.WritePlan(t.Context(), &planned); err != nil {
		t.Fatal(err)
	}
	if _, err := test.Run(t.Context(), "test", io.Discard, ignore); err != nil {
		t.Fatal(err)
	}
	want := []string{"/caf%C3%A9%7C%FFb Fox/1 http://r.test/", "/b Crow/2 "}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	for i, line := range strings.Split(strings.TrimSpace(planned.String()), "\n") {
		var p struct {
			Target string
			Header http.Header
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if got := p.Target + " " + p.Header.Get("User-Agent") + " " + p.Header.Get("Referer"); got != want[i] {
			t.Errorf("planned %q, want %q", got, want[i])
		}
	}
}

func TestWritePlan(t *testing.T) {
	var one, again bytes.Buffer
	test := newTest(t, "hidden-segment", options(t))
	for _, w := range []io.Writer{&one, &again} {
		if err := test.WritePlan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != again.String() || strings.Count(one.String(), "\n") < 50 {
		t.Errorf("%d and %d bytes", one.Len(), again.Len())
	}
	var first struct {
		Seq                           *uint64
		Cohort, Route, Method, Target string
	}
	line, _, _ := strings.Cut(one.String(), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil || first.Seq == nil || *first.Seq != 0 ||
		first.Target == "" {
		t.Errorf("first line %s: %v", line, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := test.WritePlan(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after a cancellation", err)
	}
}

func TestRunAgainstAServer(t *testing.T) {
	var served atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Header().Set("X-Version", "v7")
	}))
	defer web.Close()
	o := options(t)
	o.Target.URLs, o.Target.VersionHeader = []string{web.URL}, "X-Version"
	o.Output = loadtest.OutputOptions{Save: "r.json", HDR: "r.hdr", Results: "r.csv", Events: "r.jsonl",
		Metrics: "127.0.0.1:0"}
	o.Objectives = []string{"errors<=0%", "version=v7 rate>1"}
	var messages bytes.Buffer
	seconds := 0
	r, err := newTest(t, "browse", o).Run(t.Context(), "test", &messages, func(e event.Event) {
		if _, ok := e.Fact.(event.Traffic); ok {
			seconds++
		}
	})
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	all := r.Results.Sum(nil)
	want := objective.Met
	if len(r.Results.Limits()) > 0 { // on a machine that is busy with other tests
		want = objective.Inconclusive
	}
	if all.Requests != served.Load() || all.Requests == 0 || objective.Worst(r.Verdicts) != want || seconds == 0 {
		t.Errorf("%d requests of %d, %d seconds, verdicts %v", all.Requests, served.Load(), seconds, r.Verdicts)
	}
	if !strings.HasPrefix(messages.String(), "Metrics at http://127.0.0.1:") {
		t.Errorf("messages %q", messages.String())
	}
	for _, name := range []string{"r.json", "r.hdr", "r.csv", "r.jsonl"} {
		if info, err := os.Stat(filepath.Join(o.Dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := os.Open(filepath.Join(o.Dir, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	saved, err := results.ReadDocument("r.json", f)
	if err != nil || saved.Results.Sum(nil).Requests != all.Requests {
		t.Errorf("saved results: %v", err)
	}
	if _, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore); err == nil ||
		!strings.Contains(err.Error(), "already exists") {
		t.Errorf("error %v for a second run", err)
	}
}

func TestRunInTheSimulator(t *testing.T) {
	o := options(t)
	o.Target.URLs, o.Target.Version = []string{loadtest.Simulator}, "faulty"
	o.Objectives = []string{"cohort=premium route=checkout success>=100%"}
	r, err := newTest(t, "hidden-segment", o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	if n := r.Results.Sum(nil).Requests; n == 0 || len(r.Verdicts) != 1 {
		t.Errorf("%d requests, verdicts %v", n, r.Verdicts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err = newTest(t, "hidden-segment", o).Run(ctx, "test", io.Discard, ignore)
	if err != nil || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("errors %v after a cancellation", err)
	}
}

func TestRunRejects(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for name, c := range map[string]struct {
		source string
		change func(*loadtest.Options)
		want   string
	}{
		"no services": {"browse", func(o *loadtest.Options) {
			o.Target.URLs = []string{"sim"}
		}, "browse has no services to simulate"},
		"vegeta": {"hidden-segment", func(o *loadtest.Options) {
			o.Target.URLs, o.Output.Results = []string{"sim"}, "x"
		}, "--results does not apply"},
		"version": {"hidden-segment", func(o *loadtest.Options) {
			o.Target.URLs, o.Target.Version = []string{"sim"}, "v9"
		}, `no version "v9"`},
		"sim and others": {"browse", func(o *loadtest.Options) {
			o.Target.URLs = []string{web.URL, "sim"}
		}, "cannot be combined with other targets"},
		"no scheme": {"browse", func(o *loadtest.Options) {
			o.Target.URLs = []string{"localhost:1"}
		}, "write http://localhost:1"},
		"a query": {"browse", func(o *loadtest.Options) {
			o.Target.URLs = []string{"http://x?y"}
		}, "cannot be used"},
		"twice": {"browse", func(o *loadtest.Options) {
			o.Target.URLs = []string{web.URL, web.URL}
		}, "a second URL for the same service"},
		"no target": {"hidden-segment", func(o *loadtest.Options) {
			o.Target.URLs = []string{"backend=" + web.URL}
		}, "add --target frontend=URL"},
		"unknown service": {"hidden-segment", func(o *loadtest.Options) {
			o.Target.URLs = []string{web.URL, "db=" + web.URL}
		}, `no route belongs to service "db"`},
		"no CA": {"browse", func(o *loadtest.Options) {
			o.Target.URLs, o.Target.CA = []string{web.URL}, "access.log"
		}, "contains no certificate"},
		"metrics": {"browse", func(o *loadtest.Options) {
			o.Target.URLs, o.Output.Metrics = []string{web.URL}, "nonsense"
		}, "--metrics: "},
	} {
		o := options(t)
		c.change(&o)
		if _, err := newTest(t, c.source, o).Run(t.Context(), "test", io.Discard, ignore); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// A library workload with what a log replaces can be replayed, and a log of a year is not sent.
func TestReplayOfAYear(t *testing.T) {
	o := options(t)
	o.Plan.Rate, o.Plan.Duration, o.Plan.Replay = 0, 0, caseFile(t, "one-year-gap.log")
	o.Target.URLs = []string{"http://127.0.0.1:1"}
	_, err := newTest(t, "browse", o).Run(t.Context(), "", io.Discard, ignore)
	if err == nil || !strings.Contains(err.Error(), "8760h0m1s to replay") {
		t.Errorf("error %v", err)
	}
}

// A test that does not start leaves no files, so that the same command can be repeated.
func TestFailedStartLeavesNoFiles(t *testing.T) {
	o := options(t)
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	o.Target.URLs = []string{s.URL}
	o.Output = loadtest.OutputOptions{Save: "a", Events: "b", Metrics: "127.0.0.1:99999"}
	if _, err := newTest(t, "browse", o).Run(t.Context(), "", io.Discard, ignore); err == nil {
		t.Error("a test without its metrics has started")
	}
	for _, name := range []string{"a", "b"} {
		if _, err := os.Stat(filepath.Join(o.Dir, name)); err == nil {
			t.Errorf("file %s is left", name)
		}
	}
}

// Requests of the warm-up are sent and not counted.
func TestWarmUp(t *testing.T) {
	o := options(t)
	o.Target.URLs, o.WarmUp, o.Objectives = []string{loadtest.Simulator}, time.Second, []string{"rate>1"}
	test := newTest(t, "hidden-segment", o)
	var messages bytes.Buffer
	r, err := test.Run(t.Context(), "test", &messages, ignore)
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	all, late := int64(0), int64(0)
	arrivals := test.Plan().Arrivals()
	for a, ok := arrivals.Next(); ok; a, ok = arrivals.Next() {
		if all++; a.At >= time.Second {
			late++
		}
	}
	if got := r.Results.Sum(nil).Requests; got != late || late == 0 || late == all {
		t.Errorf("%d requests count, %d of %d were planned after the warm-up", got, late, all)
	}
	if !strings.Contains(messages.String(), "warm-up") {
		t.Errorf("messages %q", messages.String())
	}
	o.WarmUp = 2 * time.Second
	_, err = loadtest.New(t.Context(), "hidden-segment", o)
	if err == nil || !strings.Contains(err.Error(), "--warm-up") {
		t.Errorf("error %v for a test that is all warm-up", err)
	}
}

// A test ends once an objective has been violated for five seconds, and its verdict is that.
func TestAbortOnViolation(t *testing.T) {
	for text, aborts := range map[string]bool{"p50<1us": true, "p50<1h": false} {
		o := options(t)
		o.Target.URLs, o.AbortOnViolation, o.Objectives = []string{loadtest.Simulator}, true, []string{text}
		o.Plan.Duration = 20 * time.Second
		r, err := newTest(t, "hidden-segment", o).Run(t.Context(), "test", io.Discard, ignore)
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		elapsed, violated := r.Results.Elapsed(), objective.Worst(r.Verdicts) == objective.Violated
		if violated != aborts || aborts != (elapsed < 10*time.Second) || elapsed < 4*time.Second {
			t.Errorf("%s: violated %t after %v", text, violated, elapsed)
		}
	}
}
