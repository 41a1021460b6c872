package grade

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"coalmine/lab/cluster"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
	"coalmine/lab/guardrail/source"
	"coalmine/lab/input/digest"
	"coalmine/lab/run/trial"
	"coalmine/lab/run/worker"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/grade/similar"
	"coalmine/lab/teaching/grade/submission"
)

// maxJob bounds the line with the job.
const maxJob = 1 << 20

// Serve grades the submission that the first line of in asks for, and answers on out. It first limits
// the resources of this process.
func Serve(ctx context.Context, in io.Reader, out io.Writer, c cluster.Cluster) error {
	runtime.GOMAXPROCS(1)
	lines := bufio.NewReaderSize(in, maxJob)
	line, err := lines.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("grade: read the job: %w", err)
	}
	w := &task{cluster: c}
	if err := json.Unmarshal(line, &w.job); err != nil {
		return fmt.Errorf("grade: decode the job: %w", err)
	}
	if err := worker.Limit(w.job.CPUSeconds); err != nil {
		return fmt.Errorf("grade: %w", err)
	}
	answers := json.NewEncoder(out)
	err = w.open(ctx)
	if w.src != nil {
		defer w.src.Close()
	}
	if err != nil {
		return answers.Encode(answer{Failure: err.Error()})
	}
	first := answer{Digest: w.part.Digest}
	switch {
	case w.files == nil:
		first.Part = &w.part
	case w.job.Pack:
		first.Files = w.files
	}
	if err := answers.Encode(first); err != nil || w.files == nil {
		return err
	}
	if line, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(line) != goAhead {
		return nil // the result is known
	}
	if err := w.grade(ctx); err != nil {
		return answers.Encode(answer{Failure: err.Error()})
	}
	return answers.Encode(answer{Digest: w.part.Digest, Part: &w.part})
}

// task is the grading of one submission in one scenario.
type task struct {
	job     job
	cluster cluster.Cluster
	src     *trial.Source
	part    Part
	// files are the guardrails; nil if nothing is to be played.
	files map[string][]byte
}

// open reads the scenario and the submission.
func (w *task) open(ctx context.Context) error {
	src, err := trial.Open(w.job.Base, w.job.Scenario)
	if err != nil {
		return err
	}
	w.src = src
	w.part = newPart(src.Scenario)
	files, err := w.read(ctx)
	var refused *submission.Refused
	switch {
	case errors.As(err, &refused):
		w.part.withoutGrade(CauseRefused, refused.Reason)
		return nil
	case err != nil:
		w.part.withoutGrade(CauseRefused, fmt.Sprintf("the submission cannot be read: %v", withoutPath(err)))
		return nil
	case len(files) == 0:
		w.part.withoutPoints(OutcomeNothing, nothing(w.job, src.Scenario))
		return nil
	case source.IsChart(files):
		w.part.withoutGrade(CauseRefused, "the submission is a Helm chart, which is not rendered here: hand in what "+
			"helm template prints")
		return nil
	}
	w.files = files
	w.part.Digest = digest.Files(files)
	return nil
}

// read reads the guardrails.
func (w *task) read(ctx context.Context) (map[string][]byte, error) {
	if w.job.Packed != "" {
		p, err := readPacked(w.job.Packed)
		return p.Files, err
	}
	files, err := submission.Read(ctx, w.job.Submission)
	if err != nil {
		return nil, err
	}
	return submission.Guardrails(files, w.src.Scenario.Name, w.job.Alone)
}

// emptyPart is the part of a learner who has done nothing in a scenario.
func emptyPart(base, name string) (Part, error) {
	src, err := trial.Open(base, name)
	if err != nil {
		return Part{}, err
	}
	defer src.Close()
	return newPart(src.Scenario), nil
}

// newPart returns the part of a learner who has done nothing.
func newPart(s *scenario.Scenario) Part {
	p := Part{Scenario: s.Name, Title: s.Title, Status: NotGraded}
	for _, i := range s.Rubric.Items {
		p.Max += i.Points
	}
	return p
}

func nothing(j job, s *scenario.Scenario) string {
	if j.Alone {
		return "the submission has no manifests"
	}
	return "the submission has no folder " + s.Name + " with manifests"
}

// withoutPath returns what is wrong with a file without the path of this machine.
func withoutPath(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// grade checks the guardrails and plays them.
func (w *task) grade(ctx context.Context) error {
	w.part.Documents = digest.Documents(w.files)
	set, err := source.LoadFiles(ctx, w.files, guardrail.EnvironmentOf(w.src.Scenario))
	var findings guardrail.Errors
	switch {
	case errors.As(err, &findings):
		w.part.withoutPoints(OutcomeInvalid, invalidReason(findings))
		return nil
	case err != nil:
		return err
	}
	starter, err := w.src.Files(scenario.Starter)
	if err != nil {
		starter = nil // a scenario needs none
	}
	w.part.Features = similar.Features(w.files, starter)
	for _, f := range lint.Check(set) {
		if !slices.Contains(w.part.Warnings, f.Rule) {
			w.part.Warnings = append(w.part.Warnings, f.Rule)
		}
	}
	card, err := w.play(ctx, set, w.job.Seeds, true, filepath.Join(w.job.Out, dirRun))
	if err != nil {
		return err
	}
	w.part.fill(&card.Card)
	if w.part.Status == Graded && w.job.Practice > 0 {
		return w.practise(ctx, set)
	}
	return nil
}

func invalidReason(f guardrail.Errors) string {
	if len(f) == 1 {
		return f[0].String()
	}
	return fmt.Sprintf("%s (and %d more)", f[0], len(f)-1)
}
