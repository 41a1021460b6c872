package lesson_test

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"coalmine/lab/lesson"
	"coalmine/scenarios/lessons"
)

func TestCourseIsValid(t *testing.T) {
	c, err := lesson.Load(lessons.Course())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.Lessons {
		for _, s := range l.Steps {
			for _, p := range s.Play {
				if _, ok := c.Guardrails(l.Name, p.Guardrails); !ok && s.Task == nil && p.Scenario == "" {
					t.Errorf("%s: play %s has nothing to play", l.Name, p.Name)
				}
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	const head = "title: T\nsummary: S\nminutes: 1\nsteps:\n- name: one\n  title: One\n  text: X\n"
	for name, c := range map[string]struct{ lesson, want string }{
		"figure of nothing":  {head + "  show: [{name: N, figure: gone.harm}]\n", `there is no play "gone" before`},
		"unknown figure":     {head + "  show: [{name: N, figure: gone.harms}]\n", `there is no figure "harms"`},
		"unknown field":      {head + "  shows: []\n", "field shows not found"},
		"play without files": {head + "  play: [{name: p, title: T, scenario: s}]\n", "has no guardrails"},
		"choice without its answer": {head + "  ask: [{name: q, ask: Q, kind: choice, options: [a, b], answer: c}]\n",
			"the answer is one of them"},
		"number without tolerance": {head + "  ask: [{name: q, ask: Q, kind: number, answer: \"3\"}]\n",
			"factor or margin"},
		"text with a figure": {head + "  after: 'so {{fig \"gone.harm\"}}'\n", `there is no play "gone" before`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lesson.Load(fstest.MapFS{
				"course.yaml":      {Data: []byte("title: C\nlessons: [only]\n")},
				"only/lesson.yaml": {Data: []byte(c.lesson)},
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	choice := lesson.Question{Kind: lesson.KindChoice, Options: []string{"5%", "no difference"}}
	for _, c := range []struct {
		q    lesson.Question
		in   string
		want string
		bad  bool
	}{
		{lesson.Question{Kind: lesson.KindNumber}, "9 000", "9 000", false},
		{lesson.Question{Kind: lesson.KindNumber}, "-3", "", true},
		{lesson.Question{Kind: lesson.KindNumber}, "many", "", true},
		{lesson.Question{Kind: lesson.KindPercent}, "25 %", "25 %", false},
		{lesson.Question{Kind: lesson.KindDuration}, "1m30s", "90 s", false},
		{lesson.Question{Kind: lesson.KindDuration}, "Never", "never", false},
		{lesson.Question{Kind: lesson.KindDuration}, "90", "", true},
		{choice, "b", "no difference", false},
		{choice, "5 %", "5%", false},
		{choice, "C", "", true},
	} {
		v, err := c.q.Parse(c.in)
		got := strings.ReplaceAll(v.String(), "\u00a0", " ")
		if (err != nil) != c.bad || !c.bad && got != c.want {
			t.Errorf("%s %q is %q, %v, want %q", c.q.Kind, c.in, got, err, c.want)
		}
	}
}

// The workbook's own example: 100 % errors against 99.9 % over an hour at 14.4 times take 52 s.
func TestPagerIsTheWorkbooks(t *testing.T) {
	p := lesson.Pager{Objective: 0.999, Rules: []lesson.BurnRule{{Factor: 14.4, Window: time.Hour}}}
	got, ok := p.Detect(1)
	if !ok || math.Abs(got.Seconds()-51.84) > 0.01 {
		t.Errorf("100 %% errors are detected after %v, want 51.84s", got)
	}
	if _, ok := p.Detect(0.0143); ok {
		t.Error("an error rate below 14.4 times the budget pages")
	}
	if a, _ := p.Detect(0.1); a <= got {
		t.Errorf("fewer errors page sooner: %v", a)
	}
}

func TestSampleSize(t *testing.T) {
	// Fleiss' formula by hand: 7.849 × (0.0196 + 0.0384) / 0.0004.
	if n := lesson.SampleSize(0.98, 0.96); n < 1137 || n > 1140 {
		t.Errorf("98 %% against 96 %% takes %d, want 1138 or so", n)
	}
}
