package quizexpr_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/scenario/quizexpr"
)

func facts() *quizexpr.Facts {
	f := &quizexpr.Facts{Run: quizexpr.Run{Played: true, Name: "faulty-1", Seed: 1, RolledBack: true, WeightAtAbort: 25,
		HurtUsers: true, FirstBad: 10 * time.Second, MTTD: 90 * time.Second, Harm: 40,
		Cohorts: []quizexpr.Group{{Name: "merchants", Harm: 30, Requests: 60}, {Name: "shoppers", Harm: 10}}}}
	for i := range 200 {
		s := quizexpr.Second{To: time.Duration(i+1) * time.Second, N: 10}
		if s.To >= f.Run.FirstBad {
			s.Bad = 1
		}
		f.Run.Canary = append(f.Run.Canary, s)
	}
	return f
}

func TestResults(t *testing.T) {
	for text, want := range map[string]float64{
		"run.weight_at_abort": 25,
		"run.mttd":            90,
		"double(run.cohorts[0].harm) / double(run.harm)": 0.75,
		"run.cohorts.filter(c, c.harm > 20).size()":      1,
		"uint(7)": 7,
		`run.mttd_with(duration("30s"), 95.0) - duration("1s")`:    8,
		`run.mttd_with(duration("2m"), 50.0)`:                      -1,
		"healthy.played ? 1 : 2":                                   2,
		"run.cohorts[0].name == 'merchants' ? run.seed : run.harm": 1,
	} {
		e, err := quizexpr.Compile(text, quizexpr.ResultNumber)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Number(facts()); err != nil || got != want {
			t.Errorf("%s = %v, error %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string][]string{
		"run.cohorts[0].name":                           {"merchants"},
		"run.cohorts.map(c, c.name)":                    {"merchants", "shoppers"},
		"run.rolled_back ? 'roll back' : 'none at all'": {"roll back"},
	} {
		e, err := quizexpr.Compile(text, quizexpr.ResultText)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Texts(facts()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s = %q, error %v, want %q", text, got, err, want)
		}
	}
	e, err := quizexpr.Compile("run.rolled_back && !healthy.played", quizexpr.ResultBool)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Bool(facts()); err != nil || !got {
		t.Errorf("%v, error %v", got, err)
	}
}

// TestRefused checks what is refused before it is evaluated, as quizzes may be anyone's.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"run.wieght":                         "undefined field 'wieght' (column 4",
		"rum.weight_at_abort":                "undeclared reference to 'rum'",
		"run.name":                           "gives a string, and a number is needed",
		"run":                                "gives a Run, and a number is needed",
		"run.canary":                         "undefined field",
		"1 +":                                "Syntax error",
		"":                                   "Syntax error",
		strings.Repeat("1+", 1000) + "1":     "size",
		strings.Repeat("(", 400) + "1":       "recursion limit",
		"size('" + strings.Repeat("x", 2000): "size",
	} {
		if _, err := quizexpr.Compile(text, quizexpr.ResultNumber); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
		}
	}
}

// TestCost checks that an expression that goes on for long ends soon.
func TestCost(t *testing.T) {
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 40), ",") + "]"
	loop, windows := "1", "true"
	for _, v := range []string{"a", "b", "c", "d", "e"} {
		loop = list + ".map(" + v + ", " + loop + ").size()"
	}
	for range 8 {
		windows += " && run.mttd_with(duration('1s'), 0.0) < duration('0s')"
	}
	windows = list + ".filter(a, " + windows + ").size()"
	for _, text := range []string{loop, windows} {
		e, err := quizexpr.Compile(text, quizexpr.ResultNumber)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Number(facts()); err == nil || !strings.Contains(err.Error(), "cost limit") {
			t.Errorf("%.40q… = %v, error %v, want one about the cost", text, got, err)
		}
	}
	for text, want := range map[string]string{"1/0": "division by zero", "run.cohorts[7].harm": "index out of bounds",
		"0.0/0.0": "no number"} {
		e, err := quizexpr.Compile(text, quizexpr.ResultNumber)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Number(facts()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	e, err := quizexpr.Compile(`"x" == "x" ? [""] : ["y"]`, quizexpr.ResultText)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Texts(facts()); err == nil {
		t.Error("an empty text is an answer")
	}
}

// TestMTTDWith compares the running sums with a plain count of each window.
func TestMTTDWith(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.IntRange(1, 20).Draw(t, "first")) * time.Second
		r := quizexpr.Run{HurtUsers: true, FirstBad: first}
		for i := range rapid.IntRange(0, 60).Draw(t, "seconds") {
			n := rapid.IntRange(0, 5).Draw(t, "n")
			r.Canary = append(r.Canary, quizexpr.Second{To: time.Duration(i+1) * time.Second, N: n,
				Bad: rapid.IntRange(0, n).Draw(t, "bad")})
		}
		window := time.Duration(rapid.IntRange(1, 30).Draw(t, "window")) * time.Second
		least := float64(rapid.IntRange(1, 100).Draw(t, "least"))
		want := -time.Second
		for _, end := range r.Canary {
			n, bad := 0, 0
			for _, s := range r.Canary {
				if s.To <= end.To && s.To > end.To-window {
					n, bad = n+s.N, bad+s.Bad
				}
			}
			if end.To >= r.FirstBad && n > 0 && 100*float64(n-bad)/float64(n) < least {
				want = end.To - r.FirstBad
				break
			}
		}
		if got := r.MTTDWith(window, least); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
