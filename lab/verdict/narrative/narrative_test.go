package narrative_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

func ref(v float64) *float64 { return &v }

// narrate returns a narrative as lines, without the lifecycle of the run.
func narrate(s *script.Script) []string {
	var lines []string
	for _, e := range narrative.Of(timeline.Build(s.Events())) {
		if e.Kind != narrative.Lifecycle && e.Kind != narrative.Status {
			lines = append(lines, fmt.Sprintf("%.0f #%d %s", e.At.Seconds(), e.Seq, e.Text))
		}
	}
	return lines
}

func TestRolledBack(t *testing.T) {
	want := []string{
		"70 #68 released checkout v2",
		"85 #84 analysis started: the canary gets 5 % of the traffic",
		"86 #85 first user hurt by the fault",
		"115 #115 advanced to 25 % of the traffic",
		"135 #137 held at 25 %: premium-success 74.2 < 99 (failed check 1 of 5)",
		"135 #137 noticed: the first signal, 49 s after the first user was hurt",
		"145 #150 held at 25 %: premium-success 74.2 < 99 (failed check 2 of 5)",
		"155 #163 held at 25 %: premium-success 74.2 < 99 (failed check 3 of 5)",
		"165 #176 held at 25 %: premium-success 74.2 < 99 (failed check 4 of 5)",
		"175 #189 held at 25 %: premium-success 74.2 < 99 (failed check 5 of 5)",
		"185 #200 last user hurt by the fault",
		"185 #201 rolled back after 5 failed checks of 5: all traffic to the primary (the canary had 25 %)",
	}
	if diff := cmp.Diff(want, narrate(script.RolledBack(1))); diff != "" {
		t.Errorf("the narrative differs (-want +got):\n%s", diff)
	}
}

func TestCauseOfADecision(t *testing.T) {
	s := script.RolledBack(1)
	for _, e := range narrative.Of(timeline.Build(s.Events())) {
		if e.Kind != narrative.Hold {
			continue
		}
		if !e.Cause.Happened() || s.Events()[e.Cause.Seq-1].Fact.Kind() != event.KindQuery || e.Cause.Seq != e.Seq-1 {
			t.Errorf("#%d rests on #%d, want the query before it", e.Seq, e.Cause.Seq)
		}
		if !e.Kind.Decision() {
			t.Errorf("#%d is no decision", e.Seq)
		}
	}
}

// tick makes one decision at 25 % after the given facts.
func tick(failed int, weight int, facts ...event.Fact) string {
	s := script.Ready("healthy", 1, true).Release().Canary(event.PhaseProgressing, 25, 0).Traffic(30)
	for _, f := range facts {
		s.Add(f)
	}
	s.Canary(event.PhaseProgressing, weight, failed)
	lines := narrate(s)
	_, text, _ := strings.Cut(lines[len(lines)-1], " #")
	_, text, _ = strings.Cut(text, " ")
	return text
}

func TestReasonsOfDecisions(t *testing.T) {
	asked := func(name string, v, least, most *float64) event.Query {
		return event.Query{Asker: script.Service, Metric: name, Value: v, Min: least, Max: most}
	}
	ok := asked("success", ref(99.5), ref(99), nil)
	no := event.Gate{Canary: script.Service, Name: "volume", Hook: "rollout", Reason: "12 requests, 100 are asked for"}
	for want, got := range map[string]string{
		"held at 25 %: success 98.996 < 99 (failed check 1 of 5)": tick(1,
			25, asked("success", ref(98.996), ref(99), nil)),
		"held at 25 %: p99 512.3 > 500 (failed check 1 of 5)": tick(1,
			25, ok, asked("p99", ref(512.345), nil, ref(500))),
		"held at 25 %: p99 has no values (failed check 1 of 5)": tick(1,
			25, ok, asked("p99", nil, nil, ref(500))),
		"held at 25 %: success could not be queried: too much (failed check 1 of 5)": tick(1,
			25, event.Query{Asker: script.Service, Metric: "success", Error: "too much"}),
		"held at 25 %: gate volume failed: 12 requests, 100 are asked for (failed check 1 of 5)": tick(1,
			25, no),
		"held at 25 % (failed check 1 of 5)": tick(1,
			25, event.Query{Asker: "other", Metric: "success", Value: ref(1), Min: ref(99)}),
		"advanced to 50 % of the traffic: success 99.5 ≥ 99, p99 12 ≤ 500": tick(0,
			50, ok, asked("p99", ref(12), nil, ref(500))),
		"advanced to 50 % of the traffic: success 99.5 ≥ 99, success 99.5 ≥ 99, success 99.5 ≥ 99, and 2 more": tick(0,
			50, ok, ok, ok, ok, ok),
		"advanced to 50 % of the traffic": tick(0,
			50),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// The checks of a tick do not mix with those of the next, even if it follows at once.
func TestTicksDoNotMix(t *testing.T) {
	s := script.Ready("healthy", 1, true).Release().Canary(event.PhaseProgressing, 25, 0).Traffic(30)
	s.Add(event.Query{Asker: script.Service, Metric: "first", Value: ref(1), Min: ref(2)}).Canary(
		event.PhaseProgressing, 25, 1)
	s.Add(event.Query{Asker: script.Service, Metric: "second", Value: ref(1), Min: ref(2)})
	s.Add(event.Gate{Canary: script.Service, Name: "volume", Reason: "later"})
	if got := strings.Join(narrate(s), "\n"); !strings.Contains(got,
		"held at 25 %: first 1 < 2 (failed check 1 of 5)") {
		t.Error(got)
	}
}

func TestNumbers(t *testing.T) {
	for want, q := range map[string]event.Query{
		"m 17380 > 500":       {Metric: "m", Value: ref(17380.4), Max: ref(500)},
		"m 0.0001235 ≤ 0.01":  {Metric: "m", Value: ref(0.00012349), Max: ref(0.01)},
		"m 99 ≥ 99":           {Metric: "m", Value: ref(99), Min: ref(99)},
		"m 99.0000001 ≥ 99":   {Metric: "m", Value: ref(99.0000001), Min: ref(99)},
		"m 42":                {Metric: "m", Value: ref(42)},
		"m 0 < 1":             {Metric: "m", Value: ref(0), Min: ref(1)},
		"m 108.5 ≤ 500":       {Metric: "m", Value: ref(108.49999999999974), Max: ref(500)},
		"m 1e+20 > 123456789": {Metric: "m", Value: ref(1e20), Max: ref(123456789)},
	} {
		if got := narrative.DescribeQuery(q); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A view can make the whole narrative once and show as much of it as was played.
func TestLongerLogKeepsEarlierEntries(t *testing.T) {
	for _, s := range []*script.Script{script.RolledBack(1), script.Promoted("faulty", 1), script.Unguarded(1)} {
		whole := narrative.Of(timeline.Build(s.Events()))
		lasting := func(es []narrative.Entry) []string {
			var texts []string
			for _, e := range es {
				if e.Text != "last user hurt by the fault" {
					texts = append(texts, fmt.Sprint(e.Seq, e.Text))
				}
			}
			return texts
		}
		for n := range s.Events() {
			part := lasting(narrative.Of(timeline.Build(s.Events()[:n])))
			if diff := cmp.Diff(lasting(whole)[:len(part)], part, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("after %d events (-whole +part):\n%s", n, diff)
			}
		}
	}
}

func TestForeignTextHasNoControlCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		evil := rapid.String().Draw(t, "text") + "\x1b[2J\u202e\r\n\x9b31m"
		s := script.Ready("faulty", 1, true).Release().Canary(event.PhaseProgressing, 5, 0).Traffic(20)
		s.Add(event.Alert{Message: evil, Provider: evil, Severity: evil}).Add(
			event.Deleted{ObjectKind: evil, Name: evil}).Gate(evil, false)
		s.Add(event.Query{Asker: script.Service, Metric: evil, Error: evil}).Add(
			event.Flagger{Canary: script.Service, Type: "Warning", Message: evil})
		s.Canary(event.PhaseProgressing, 5, 1).Add(event.RunEnded{Outcome: evil, Reason: evil})
		for _, e := range narrative.Of(timeline.Build(s.Events())) {
			for _, text := range append(e.Quotes, e.Text) {
				if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Fatalf("%q", text)
				}
			}
		}
	})
}

// BenchmarkOf100000 describes a run of a hundred thousand facts, of which a tenth are changes of
// the canary.
func BenchmarkOf100000(b *testing.B) {
	s := script.Ready("healthy", 1, true).Release()
	for i := range 10_000 {
		for range 9 {
			s.Add(event.Query{Asker: script.Service, Metric: "success", Value: ref(98), Min: ref(99)})
		}
		s.Canary(event.PhaseProgressing, 5, i%5+1).Wait(10 * time.Second)
	}
	t := timeline.Build(s.Events())
	for b.Loop() {
		narrative.Of(t)
	}
}

// A check may notice a fault that mesh retries still hide from users.
func TestNoticed(t *testing.T) {
	at := func(seq, s int) timeline.Moment {
		return timeline.Moment{Seq: seq, At: time.Duration(s) * time.Second}
	}
	for want, x := range map[string]timeline.Timeline{
		"20 s before the first user was hurt": {Detected: at(5, 181), FirstBad: at(7, 201)},
		"20 s after the first user was hurt":  {Detected: at(7, 201), FirstBad: at(5, 181)},
		"0 s after the first user was hurt":   {Detected: at(5, 181), FirstBad: at(4, 181)},
	} {
		if got := narrative.Noticed(&x); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
