package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/record"
	"coalmine/lab/report"
	"coalmine/lab/score"
	"coalmine/lab/timeline"
	"coalmine/scenarios"
)

// result is what a run folder comes to. It is made of recorded events alone, by run and by report alike.
type result struct {
	card score.Card
	exit int
	// single is the timeline of a trial that is one run of one version; nil for others.
	single *timeline.Timeline
}

// readResult scores the events of a run folder.
func (env *Env) readResult(dir string) (*result, error) {
	folder, err := record.Open(dir)
	if err != nil {
		return nil, invalid("name a folder that coalmine run has made", "%w", err)
	}
	defer folder.Close()
	s, err := recordedScenario(folder)
	if err != nil {
		return nil, err
	}
	results, whole, err := env.readRuns(folder)
	if err != nil {
		return nil, err
	}
	r := &result{card: score.Trial(s, results)}
	if !whole && r.card.Exit == score.ExitPassed {
		r.card.Outcome, r.card.Exit = score.OutcomeInconclusive, score.ExitInconclusive
		r.card.Reason = "not every run of the trial was played: " + r.card.Reason
	}
	r.exit = r.card.Exit
	if alone(results) {
		r.exit = worst(results, s.Rubric)
		if len(results) == 1 {
			r.single = results[0].Timeline
		}
	}
	if !whole && r.exit == score.ExitPassed {
		r.exit = score.ExitInconclusive
	}
	return r, nil
}

func recordedScenario(folder *record.Folder) (*scenarios.Scenario, error) {
	fsys, err := folder.Scenario()
	if err != nil {
		return nil, err
	}
	s, err := scenarios.Load(fsys, ".")
	if err != nil {
		return nil, invalid("", "the recorded scenario: %w", err)
	}
	return s, invalidRubric("scenario", s)
}

// namedMissing is how many runs that were not played are named.
const namedMissing = 4

// readRuns builds the timelines of all runs that were recorded, and tells whether that is the whole trial: an interrupted one
// lacks some.
func (env *Env) readRuns(folder *record.Folder) (results []score.RunResult, whole bool, err error) {
	var missing []string
	for _, run := range folder.Manifest.Runs {
		events, err := folder.Events(run)
		cut := errors.Is(err, record.ErrCutOff)
		if errors.Is(err, fs.ErrNotExist) || cut && len(events) == 0 {
			missing = append(missing, run.Name())
			continue
		}
		switch {
		case cut:
			fmt.Fprintf(env.Err, "%v; what stands before it counts\n", err)
		case err != nil:
			return nil, false, invalid("", "%w", err)
		}
		t := timeline.Build(events)
		results = append(results, score.RunResult{Name: run.Name(), Part: partOf(run, t), Timeline: t})
	}
	env.tellMissing(missing)
	if len(results) == 0 {
		return nil, false, invalid("play the trial again", "no run was recorded")
	}
	return results, len(missing) == 0, nil
}

func (env *Env) tellMissing(runs []string) {
	const inconclusive = "; if those that were played pass, the trial is inconclusive"
	switch n := len(runs); {
	case n > namedMissing:
		fmt.Fprintf(env.Err, "%d runs were not played, the first of them %s%s\n", n, runs[0], inconclusive)
	case n > 1:
		fmt.Fprintf(env.Err, "%s were not played%s\n", strings.Join(runs, ", "), inconclusive)
	case n == 1:
		fmt.Fprintf(env.Err, "%s was not played%s\n", runs[0], inconclusive)
	}
}

// partOf is the run's part in the score. A version that is neither faulty nor healthy by the scenario is taken for what its
// users felt.
func partOf(run record.Run, t *timeline.Timeline) score.Part {
	part := score.Part(run.Role)
	if part != partOther {
		return part
	}
	if score.Faulty(t) {
		return score.PartFaulty
	}
	return score.PartHealthy
}

// alone tells whether the guardrails met one version only, so that runs are judged one by one.
func alone(results []score.RunResult) bool {
	for _, r := range results {
		if r.Part != results[0].Part {
			return false
		}
	}
	return true
}

// worst is the highest exit code of runs that stand alone, where a lab's fault outweighs everything.
func worst(results []score.RunResult, rubric scenarios.Rubric) int {
	code := score.ExitPassed
	for _, r := range results {
		if r.Timeline.End.Outcome == event.OutcomeLabFault {
			return score.ExitLabFailed
		}
		code = max(code, score.Judge(r.Timeline, rubric).Verdict.Exit())
	}
	return code
}

// write prints the result in a form for people.
func (r *result) write(w io.Writer, o report.Options) error {
	if r.single != nil {
		return report.Run(w, r.single, o)
	}
	return report.Text(w, r.card, o)
}

func (env *Env) writeResult(r *result, asJSON bool) error {
	if asJSON {
		return report.JSON(env.Out, r.card)
	}
	return r.write(env.Out, report.Options{Width: env.Width, Color: env.color()})
}

// keepCard writes the card into the run folder, in the same form on every machine.
func (env *Env) keepCard(rec *record.Recorder, r *result) error {
	var asJSON, asText bytes.Buffer
	if err := report.JSON(&asJSON, r.card); err != nil {
		return err
	}
	if err := r.write(&asText, report.Options{}); err != nil {
		return err
	}
	return rec.Card(asJSON.Bytes(), asText.Bytes())
}
