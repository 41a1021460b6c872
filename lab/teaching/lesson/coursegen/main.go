// Command coursegen writes the pages of the course in docs/course: the lab from the lessons, the quiz
// from their questions, and the runbook with the figures of the manifests that the lessons play.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/format"
	"coalmine/lab/teaching/lesson"
	"coalmine/lab/teaching/quiz"
	"coalmine/lab/verdict/pager"
	"coalmine/scenarios"
	"coalmine/scenarios/lessons"
)

//go:embed runbook.md.tmpl
var runbookTemplate string

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: coursegen DIR")
	}
	pages, err := generate()
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the pages by file name.
func generate() (map[string]string, error) {
	c, err := lesson.Load(lessons.Course())
	if err != nil {
		return nil, err
	}
	runbook, err := runbook()
	if err != nil {
		return nil, err
	}
	questions, err := questions(c)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"lab.md": wrapLines(lab(c)), "quiz.md": wrapLines(questions),
		"runbook-linkerd-progressive-delivery.md": wrapLines(runbook),
	}, nil
}

var figure = regexp.MustCompile(`\{\{fig\s+"(?:[^"]*\.)?([a-z-]+)(?:\([^"]*\))?"\}\}`)

// plain is a text of a lesson on paper, where no run has filled in its figures.
func plain(s string) string {
	s = strings.ReplaceAll(s, "{{\"{{ target }}\"}}", "{{ target }}")
	return strings.TrimSpace(figure.ReplaceAllString(s, "*($1: your run says it)*"))
}

// lab is the course to read along: what each step says, asks and plays.
func lab(c *lesson.Course) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Lab: progressive delivery with Linkerd and Flagger\n\nGenerated from the lessons by "+
		"`go generate ./lab/teaching/lesson/coursegen`.\n\n%s\n\nPlay it with `coalmine learn`. "+
		"Figures are not on this page: they come from your runs.\n", strings.TrimSpace(c.Text))
	b.WriteString("\nDone when:\n\n")
	for _, o := range c.Outcomes {
		fmt.Fprintf(&b, "- %s (lesson `%s`)\n", o.Title, o.Lesson)
	}
	for i, l := range c.Lessons {
		fmt.Fprintf(&b, "\n## %d. %s\n\n%s About %d minutes: `coalmine learn %s`\n", i+1, l.Title,
			strings.TrimSpace(l.Summary), l.Minutes, l.Name)
		for _, s := range l.Steps {
			labStep(&b, s)
		}
	}
	return b.String()
}

func labStep(b *strings.Builder, s lesson.Step) {
	fmt.Fprintf(b, "\n### %s\n", s.Title)
	if s.Text != "" {
		fmt.Fprintf(b, "\n%s\n", plain(s.Text))
	}
	list(b, "Predict", s.Predict)
	if s.Task != nil {
		fmt.Fprintf(b, "\nWork in the folder `%s`, which starts from the scenario of that name.\n", s.Task.Dir)
	}
	for _, p := range s.Play {
		fmt.Fprintf(b, "\nPlay: %s.\n", p.Title)
	}
	list(b, "Answer", s.Ask)
}

func list(b *strings.Builder, title string, questions []lesson.Question) {
	for i, q := range questions {
		if i == 0 {
			fmt.Fprintf(b, "\n%s:\n\n", title)
		}
		fmt.Fprintf(b, "- %s", plain(q.Question.Question))
		if len(q.Options) > 0 {
			fmt.Fprintf(b, " (%s)", strings.Join(q.Options, " · "))
		}
		b.WriteString("\n")
	}
}

// questions are those whose answers do not depend on a run, in the course's layout of a quiz.
func questions(c *lesson.Course) (string, error) {
	var all []quiz.Asked
	for _, l := range c.Lessons {
		for _, s := range l.Steps {
			for _, q := range s.Ask {
				if q.Expression == "" {
					asked := quiz.ResolveOne(q.Question, len(all)+1, nil)
					asked.Question.Question, asked.Why = plain(asked.Question.Question), plain(asked.Why)
					all = append(all, asked)
				}
			}
		}
	}
	var b bytes.Buffer
	err := quiz.Export(&b, quiz.FormatMarkdown, "progressive delivery with Linkerd and Flagger", all)
	return b.String(), err
}

// canary is what the runbook quotes of a Canary.
type canary struct {
	Spec struct {
		Analysis struct {
			Interval    string
			Threshold   int
			StepWeights []int `yaml:"stepWeights"`
			Iterations  int
			Metrics     []struct {
				Name           string
				Interval       string
				ThresholdRange struct{ Min, Max float64 } `yaml:"thresholdRange"`
			}
		}
	}
}

func readCanary(fsys fs.FS, name string) (canary, error) {
	var c canary
	data, err := fs.ReadFile(fsys, name)
	if err == nil {
		err = yaml.Unmarshal(data, &c)
	}
	return c, err
}

// runbook fills the runbook with the figures of the author's manifests and of the models.
func runbook() (string, error) {
	rollout, err := readCanary(scenarios.Library(), "full-rollout/solution/canary.yaml")
	if err != nil {
		return "", err
	}
	test, err := readCanary(scenarios.Library(), "ab-bounded/solution/canary.yaml")
	if err != nil {
		return "", err
	}
	model := pager.Default()
	page, _ := model.Detect(0.17)
	t, err := template.New("runbook").Delims("[[", "]]").Parse(runbookTemplate)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Rollout": rollout.Spec.Analysis, "Test": test.Spec.Analysis,
		"Sample": lesson.SampleSize(0.98, 0.96),
		"Page":   format.Unglue(format.Duration(page.Round(time.Second))),
		"People": format.Unglue(format.Duration(model.People())),
	})
	return b.String(), err
}
