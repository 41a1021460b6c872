package lesson_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"coalmine/lab/teaching/lesson"
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
		"choice without its answer": {head + "  ask: [{name: q, question: Q, options: [a, b], answer: C, why: W}]\n",
			"lesson.yaml:8: answer: is \"C\": write a letter from A to B"},
		"expression about no play": {head +
			"  ask: [{name: q, question: Q, kind: number, expression: run.harm, why: W}]\n",
			"an expression is about a play"},
		"expression about a play that was not": {head +
			"  ask: [{name: q, question: Q, kind: number, play: gone, expression: run.harm, why: W}]\n",
			`there is no play "gone" before`},
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

func TestSampleSize(t *testing.T) {
	// Fleiss' formula by hand: 7.849 × (0.0196 + 0.0384) / 0.0004.
	if n := lesson.SampleSize(0.98, 0.96); n < 1137 || n > 1140 {
		t.Errorf("98 %% against 96 %% takes %d, want 1138 or so", n)
	}
}
