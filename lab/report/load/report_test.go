package loadreport_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/report/load"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/results"
	"coalmine/loadgen/rng"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./lab/report/load -update:\n%s", path, diff)
	}
}

func text(t rapid.TB, r *results.Results, o loadreport.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := loadreport.Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func shop(t rapid.TB) *loadgen.Plan {
	t.Helper()
	mix := map[string]float64{"catalogue": 50, "item": 40, "checkout": 10}
	p, err := loadgen.NewPlan(loadgen.Workload{
		Rate: loadgen.Curve{Constant: 200},
		Routes: []loadgen.Route{{Name: "catalogue", Path: "/api/items"}, {Name: "item", Path: "/api/items/42"},
			{Name: "checkout", Path: "/api/checkout"}},
		Cohorts: []loadgen.Cohort{{Name: "regular", Share: 0.9, Users: 20000, Mix: mix},
			{Name: "premium", Share: 0.1, Users: 1000, Mix: mix}},
	}, 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func config(p *loadgen.Plan) results.Config {
	return results.Config{Plan: p, Workload: "hidden-segment", Digest: strings.Repeat("0", 64),
		Slow: func(route string) time.Duration {
			if route == "checkout" {
				return 500 * time.Millisecond
			}
			return 0
		}}
}

// incident returns an hour of a canary that fails some premium customers.
func incident(t rapid.TB) *results.Results {
	p := shop(t)
	l := results.New(config(p))
	draws, waits := rng.New(1, "view"), rng.NewLognormal(12*time.Millisecond, 140*time.Millisecond)
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			break
		}
		o := loadgen.Outcome{Arrival: a, Final: true, Status: 200, Version: "v1", Intended: a.At, BytesIn: 900}
		o.Latency = waits.Draw(draws.Bits(4 * a.Seq))
		o.Sent = a.At + time.Duration(draws.Unit(4*a.Seq+1)*30e3)
		luck := draws.Unit(4*a.Seq + 2)
		if draws.Unit(4*a.Seq+3) < 0.1 {
			o.Version = "v2-faulty"
			if o.Hit = a.Cohort == 1 && a.Route == 2 && luck < 0.3; o.Hit && luck < 0.25 {
				o.Status = 500
			}
		}
		switch {
		case luck > 0.999:
			o.Status, o.Failure, o.Version = 0, loadgen.FailureTimeout, ""
			o.Latency = 5 * time.Second
		case luck > 0.998:
			o.Status, o.Final = 503, false
			l.Add(&o)
			o.Status, o.Final, o.Attempt = 200, true, 1
		case luck > 0.997:
			o.Status = 503
		}
		l.Add(&o)
	}
	l.Run = results.Run{Elapsed: time.Minute + 20*time.Millisecond}
	return l
}

func objectives() []service.Objective {
	return []service.Objective{{Route: "checkout", Success: 99.5}, {Success: 99}}
}

func TestIncident(t *testing.T) {
	l := incident(t)
	for _, width := range []int{80, 120} {
		golden(t, fmt.Sprintf("incident-%d.txt", width),
			text(t, l, loadreport.Options{Width: width, Objectives: objectives()}))
	}
}

// About twenty requests, one of them bad: above what is allowed, but perhaps by chance.
func TestMarks(t *testing.T) {
	l := results.New(config(shop(t)))
	add := func(cohort, route uint16, version string, good, bad int, status uint16) {
		for i := range good + bad {
			o := loadgen.Outcome{Arrival: loadgen.Arrival{Cohort: cohort, Route: route}, Final: true, Status: 200,
				Version: version, Latency: time.Duration(i%300+1) * time.Millisecond}
			if i < bad {
				o.Status = status
			}
			l.Add(&o)
		}
	}
	add(0, 0, "v1", 999, 10, 503)
	add(0, 0, "v2", 21, 1, 403)
	add(0, 1, "v1", 995, 5, 429)
	add(0, 1, "", 0, 4, 0)
	add(0, 2, "v1", 995, 5, 500)
	add(0, 2, "v2", 100, 4, 500)
	add(1, 2, "v1", 10, 0, 0)
	add(1, 2, "", 0, 3, 0)
	l.Run = results.Run{Elapsed: 2 * time.Hour, Unsent: 12}
	l.Add(&loadgen.Outcome{Final: true, Failure: loadgen.FailureStopped})
	golden(t, "marks-80.txt", text(t, l, loadreport.Options{Objectives: objectives()}))
	if got := text(t, l, loadreport.Options{}); strings.Contains(got, "BAD") || strings.Contains(got, "?") {
		t.Errorf("marks without objectives:\n%s", got)
	}
}

func TestNoResults(t *testing.T) {
	c := config(shop(t))
	c.Shard = loadgen.Shard{Index: 2, Count: 3}
	l := results.New(c)
	l.Run.Unsent = 1
	golden(t, "nothing-80.txt", text(t, l, loadreport.Options{Objectives: objectives()}))
}

func TestMergedShards(t *testing.T) {
	var documents []results.Document
	for i := range 2 {
		c := config(shop(t))
		c.Shard, c.Workload = loadgen.Shard{Index: i + 1, Count: 3}, ""
		l := results.New(c)
		l.Add(&loadgen.Outcome{Final: true, Status: 200, Latency: time.Second})
		documents = append(documents, results.Document{Results: l})
	}
	merged, err := results.Merge(documents, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n load  ", "seed 3, 2 of 3 shards\n",
		"\n 2 requests in 1 s, 2.0 per second, none bad\n"} {
		if got := text(t, merged, loadreport.Options{}); !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestManyVersions(t *testing.T) {
	l := results.New(config(shop(t)))
	for v := range 32 {
		for i := range 6 {
			o := loadgen.Outcome{Arrival: loadgen.Arrival{Cohort: uint16(i % 2), Route: uint16(i / 2)}, Final: true,
				Status: 200, Version: fmt.Sprint("v", v)}
			if v == 31 {
				o.Status = 500
			}
			l.Add(&o)
		}
	}
	got := text(t, l, loadreport.Options{Objectives: objectives()})
	if n := strings.Count(got, "BAD "); n != 6 {
		t.Errorf("%d of 6 bad rows are shown", n)
	}
	if n := strings.Count(got, "\n     regular") + strings.Count(got, "\n     premium"); n != 94 ||
		!strings.Contains(got, "… and 92 more") {
		t.Errorf("%d other rows are shown:\n%s", n, got)
	}
}

func TestColourOnlyAddsStyles(t *testing.T) {
	l := incident(t)
	coloured := text(t, l, loadreport.Options{Color: true, Objectives: objectives()})
	if !strings.Contains(coloured, "\x1b[31m") {
		t.Fatal("no colour")
	}
	bare := coloured
	for _, code := range []string{"0", "1", "2", "31", "33", "36"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	var lines []string
	for line := range strings.Lines(bare) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	if diff := cmp.Diff(text(t, l, loadreport.Options{Objectives: objectives()}),
		strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("colour changes the text:\n%s", diff)
	}
}

// Names may come from an untrusted document, versions from a server: neither reaches the terminal
// as a control sequence, and no line is too wide.
func TestUntrustedNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, 90, -1).Draw(t, "name") + "\x1b[2J\x9b31m\r\n\a"
		l := results.New(config(shop(t)))
		for i := range 20 {
			o := loadgen.Outcome{Arrival: loadgen.Arrival{Cohort: uint16(i % 2), Route: uint16(i % 3)}, Final: i%7 > 0,
				Hit:    i%5 == 0,
				Status: uint16(100 * rapid.IntRange(0, 5).Draw(t, "class")), Failure: name,
				Version: rapid.SampledFrom([]string{name, "", "v1", strings.Repeat("v", 64)}).Draw(t, "version"),
				Latency: time.Duration(rapid.Int64().Draw(t, "latency"))}
			l.Add(&o)
		}
		width := rapid.IntRange(0, 200).Draw(t, "width")
		got := text(t, renamed(t, l, name), loadreport.Options{Width: width, Objectives: objectives()})
		if i := strings.IndexFunc(got, func(r rune) bool {
			return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0
		}); i >= 0 {
			t.Fatalf("control character at %d: %q", i, got[max(0, i-20):i+5])
		}
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > min(140, max(80, width)) {
				t.Fatalf("width %d: a line has %d columns: %q", width, n, line)
			}
		}
	})
}

// renamed writes results, puts other names into the document, and reads it.
func renamed(t *rapid.T, r *results.Results, name string) *results.Results {
	var b bytes.Buffer
	if err := r.WriteDocument(&b); err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"hidden-segment"`, string(quoted), `"premium"`, string(quoted), `"checkout"`,
		string(quoted)).Replace(b.String())
	d, err := results.ReadDocument("a.json", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d.Results
}

// A missing path is not an outage, but the sender of half of the load to it wants to know.
func TestOtherClientErrorsAreReported(t *testing.T) {
	l := results.New(config(shop(t)))
	for i := range 10 {
		o := loadgen.Outcome{Final: true, Status: 200, Version: "v1"}
		if i < 4 {
			o.Status = 404
		}
		l.Add(&o)
	}
	got := strings.ReplaceAll(text(t, l, loadreport.Options{Objectives: objectives()}), "\u00a0", " ")
	for _, want := range []string{"none bad; other 4xx 4 (40 % of all), not",
		"\n       other 4xx 4 (40 % of all), not counted as bad\n"} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "BAD p") || strings.Contains(got, "BAD r") {
		t.Errorf("4xx are marked as bad:\n%s", got)
	}
}

// A generator that reached a limit says so first, marks no row as bad, and shows the errors.
func TestLimits(t *testing.T) {
	l := results.New(config(shop(t)))
	for i := range 1000 {
		o := loadgen.Outcome{Final: true, Status: 500, Version: "v1", Latency: time.Second}
		if i%2 == 0 {
			o = loadgen.Outcome{Final: true, Failure: loadgen.FailurePorts,
				Detail: "dial tcp 192.0.2.1:80: connect: cannot assign requested address"}
		}
		l.Add(&o)
	}
	l.Add(&loadgen.Outcome{Final: true, Failure: loadgen.FailureReset,
		Detail: "read tcp 192.0.2.1:80: connection reset by peer\x1b[2J"})
	l.Run = results.Run{Elapsed: 10 * time.Second, Workers: 4096, Peak: 300}
	golden(t, "limits-80.txt", text(t, l, loadreport.Options{Objectives: objectives()}))
	var b bytes.Buffer
	if err := loadreport.WriteJSON(&b, l, nil); err != nil || !strings.Contains(b.String(), `"name": "ports"`) {
		t.Errorf("error %v, JSON without the limit:\n%s", err, b.String())
	}
}

func TestNothingPlanned(t *testing.T) {
	l := results.New(config(shop(t)))
	if got := text(t, l, loadreport.Options{}); !strings.Contains(got, "No request was planned") {
		t.Errorf("report:\n%s", got)
	}
	l.Add(&loadgen.Outcome{Final: true, Failure: loadgen.FailurePorts})
	if got := text(t, l, loadreport.Options{}); !strings.Contains(got, "No request was sent.") {
		t.Errorf("report:\n%s", got)
	}
}
