package traceheader_test

import (
	"net/http"
	"testing"

	"pgregory.net/rapid"

	"coalmine/loadgen/traceheader"
)

// TestRoundTrip formats and parses every request whose cohort is valid in a header.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := traceheader.Request{
			Seq: rapid.Uint64().Draw(t, "seq"), Attempt: rapid.IntRange(0, 255).Draw(t, "attempt"),
			User: rapid.Uint32().Draw(t, "user"),
			Seed: rapid.Uint64().Draw(t, "seed"), Cohort: rapid.StringMatching(`[^\pC]*`).Draw(t, "cohort"),
		}
		if got, ok := traceheader.Parse(want.String()); !ok || got != want {
			t.Errorf("%q is read as %+v, %t", want.String(), got, ok)
		}
	})
}

func TestParseRejects(t *testing.T) {
	for _, value := range []string{
		"", "seq=1", "cohort=web", ", cohort=web", "seq=1,cohort=web", "seq=-1, cohort=web", "seq=1e3, cohort=web",
		"user=1, cohort=web",
		"seq=18446744073709551616, cohort=web", "seq=1, user=, cohort=web", "seq=1; user=2, cohort=web",
	} {
		if got, ok := traceheader.Parse(value); ok {
			t.Errorf("%q is read as %+v", value, got)
		}
	}
	for value, want := range map[string]traceheader.Request{
		"seq=1, attempt=9999, cohort=":        {Seq: 1, Attempt: 255},
		"future=7, seq=1, cohort=a, cohort=b": {Seq: 1, Cohort: "a, cohort=b"},
	} {
		if got, ok := traceheader.Parse(value); !ok || got != want {
			t.Errorf("%q is read as %+v, %t", value, got, ok)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		lines         []string
		service, want string
	}{
		{[]string{"frontend=v1, backend=v2"}, "backend", "v2"},
		{[]string{"frontend=v1, backend=v2"}, "frontend", "v1"},
		{[]string{"frontend=v1, backend=v2"}, "", "v2"},
		{[]string{"frontend=v1", "backend=v2"}, "", "v2"},
		{[]string{"frontend=v1", "backend=v2"}, "frontend", "v1"},
		{[]string{"frontend=v1"}, "backend", ""},
		{[]string{"frontend"}, "frontend", ""},
		{nil, "", ""}, {nil, "backend", ""},
	} {
		if got := traceheader.Workload(http.Header{traceheader.WorkloadHeader: c.lines}, c.service); got != c.want {
			t.Errorf("%q of %q: workload %q, want %q", c.service, c.lines, got, c.want)
		}
		if got := traceheader.Version(http.Header{traceheader.ServedHeader: c.lines}, c.service); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.service, c.lines, got, c.want)
		}
	}
}

func TestTruth(t *testing.T) {
	h := http.Header{}
	if hit, wrong := traceheader.Truth(h); hit || wrong {
		t.Error("an answer without headers is hit or wrong")
	}
	h.Set(traceheader.FaultHeader, "backend/x")
	if hit, wrong := traceheader.Truth(h); !hit || wrong {
		t.Errorf("with a fault: hit %t, wrong %t", hit, wrong)
	}
	h.Set(traceheader.WrongHeader, "1")
	if _, wrong := traceheader.Truth(h); !wrong {
		t.Error("wrong content is not seen")
	}
}

// FuzzParse parses any value: if it is valid, formatting and parsing it again gives the same
// request.
func FuzzParse(f *testing.F) {
	f.Add("seq=17, attempt=1, user=42, seed=1, cohort=premium")
	f.Add("seq=1, cohort=")
	f.Add("seq=1, cohort=a, cohort=b")
	f.Add(", , =, cohort=")
	f.Fuzz(func(t *testing.T, value string) {
		m, ok := traceheader.Parse(value)
		if !ok {
			return
		}
		if m.Attempt < 0 || m.Attempt > 255 {
			t.Errorf("attempt %d", m.Attempt)
		}
		if again, ok := traceheader.Parse(m.String()); !ok || again != m {
			t.Errorf("%+v is parsed as %+v, %t", m, again, ok)
		}
	})
}
