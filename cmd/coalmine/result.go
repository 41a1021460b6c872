package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/report"
	"coalmine/lab/report/model"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// result is what a run folder comes to. It is made of recorded events alone, by run and by report alike.
type result struct {
	*model.Trial
	exit int
}

// readResult scores the events of a run folder.
func (env *Env) readResult(dir string) (*result, error) {
	folder, err := folder.Open(dir)
	if err != nil {
		return nil, invalid("name a folder that coalmine run has made", "%w", err)
	}
	defer folder.Close()
	s, err := recordedScenario(folder)
	if err != nil {
		return nil, err
	}
	guardrails, err := folder.Manifests()
	if err != nil {
		return nil, invalid("", "the recorded guardrails: %w", err)
	}
	recorded, err := env.readRuns(folder)
	if err != nil {
		return nil, err
	}
	r := &result{Trial: &model.Trial{Scenario: s, Card: score.Trial(s, recorded.results), Runs: recorded.results,
		Guardrails: guardrails, Variant: folder.Manifest.Options.Guardrails, Notes: recorded.notes}}
	if !recorded.whole && r.Card.Exit == score.ExitPassed {
		r.Card.Outcome, r.Card.Exit = score.OutcomeInconclusive, score.ExitInconclusive
		r.Card.Reason = "not every run of the trial was played: " + r.Card.Reason
	}
	r.exit = r.Card.Exit
	if alone(r.Runs) {
		r.exit = worst(r.Runs, s.Rubric)
		if len(r.Runs) == 1 {
			r.Single = r.Runs[0].Timeline
		}
	}
	if !recorded.whole && r.exit == score.ExitPassed {
		r.exit = score.ExitInconclusive
	}
	return r, nil
}

func recordedScenario(folder *folder.Folder) (*scenario.Scenario, error) {
	fsys, err := folder.Scenario()
	if err != nil {
		return nil, err
	}
	s, err := scenario.Load(fsys, ".")
	if err != nil {
		return nil, invalid("", "the recorded scenario: %w", err)
	}
	return s, invalidRubric("scenario", s)
}

// namedMissing is how many runs that were not played are named.
const namedMissing = 4

// recorded is what the logs of a run folder hold.
type recorded struct {
	results []score.RunResult
	// whole tells whether that is the whole trial: an interrupted one lacks some runs.
	whole bool
	// notes say what is missing or broken.
	notes []string
}

// readRuns builds the timelines of all runs that were recorded. Of a log that was cut off or edited, what stands before the
// damage counts.
func (env *Env) readRuns(dir *folder.Folder) (recorded, error) {
	var r recorded
	var missing []string
	for _, run := range dir.Manifest.Runs {
		events, err := dir.Events(run)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, folder.ErrCutOff) && len(events) == 0:
			missing = append(missing, run.Name())
			continue
		case err != nil && len(events) == 0:
			return r, invalid("", "%w", err)
		case err != nil:
			r.notes = append(r.notes, fmt.Sprintf("%v; what stands before it counts", err))
		}
		t := timeline.Build(events)
		r.results = append(r.results, score.RunResult{Name: run.Name(), Role: roleOf(run, t), Timeline: t})
	}
	r.whole = len(missing) == 0
	if !r.whole {
		r.notes = append(r.notes, missingWords(missing))
	}
	for _, n := range r.notes {
		fmt.Fprintln(env.Err, n)
	}
	if len(r.results) == 0 {
		return r, invalid("play the trial again", "no run was recorded")
	}
	return r, nil
}

// missingWords names runs that were not played.
func missingWords(runs []string) string {
	const inconclusive = "; if those that were played pass, the trial is inconclusive"
	switch n := len(runs); {
	case n > namedMissing:
		return fmt.Sprintf("%d runs were not played, the first of them %s%s", n, runs[0], inconclusive)
	case n > 1:
		return fmt.Sprintf("%s were not played%s", strings.Join(runs, ", "), inconclusive)
	}
	return fmt.Sprintf("%s was not played%s", runs[0], inconclusive)
}

// roleOf is the run's part in the score. A version that is neither faulty nor healthy by the scenario is taken for what its
// users felt.
func roleOf(run folder.Run, t *timeline.Timeline) score.Role {
	part := score.Role(run.Role)
	if part != roleOther {
		return part
	}
	if score.Faulty(t) {
		return score.RoleFaulty
	}
	return score.RoleHealthy
}

// alone tells whether the guardrails met one version only, so that runs are judged one by one.
func alone(results []score.RunResult) bool {
	for _, r := range results {
		if r.Role != results[0].Role {
			return false
		}
	}
	return true
}

// worst is the highest exit code of runs that stand alone, where a lab's fault outweighs everything.
func worst(results []score.RunResult, rubric scenario.Rubric) int {
	code := score.ExitPassed
	for _, r := range results {
		if r.Timeline.End.Outcome == event.OutcomeLabFault {
			return score.ExitLabFailed
		}
		code = max(code, score.Judge(r.Timeline, rubric).Verdict.Exit())
	}
	return code
}

// writeResult prints the result for people, or as JSON.
func (env *Env) writeResult(r *result, asJSON bool) error {
	if asJSON {
		return report.JSON(env.Out, r.Card)
	}
	return report.Write(env.Out, report.FormatText, r.Trial, report.Options{Width: env.Width, Color: env.color()})
}

// keepCard writes the card and the reports that are handed in into the run folder, the same on every machine.
func (env *Env) keepCard(rec *folder.Writer, r *result) error {
	files := map[report.Format][]byte{}
	for _, f := range []report.Format{report.FormatJSON, report.FormatText, report.FormatHTML, report.FormatPostmortem} {
		var b bytes.Buffer
		if err := report.Write(&b, f, r.Trial, report.Options{}); err != nil {
			return fmt.Errorf("write the report as %s: %w", f, err)
		}
		files[f] = b.Bytes()
	}
	if err := rec.Card(files[report.FormatJSON], files[report.FormatText]); err != nil {
		return err
	}
	return rec.Reports(files[report.FormatHTML], files[report.FormatPostmortem])
}
