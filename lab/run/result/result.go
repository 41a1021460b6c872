// Package result scores run folders and writes their reports. Whatever says what a run folder is
// worth, be it an exit code, a report or a screen, reads it here.
package result

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/input"
	"coalmine/lab/input/digest"
	"coalmine/lab/report"
	"coalmine/lab/report/model"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Recording is what a run folder holds.
type Recording struct {
	Manifest folder.Manifest
	Scenario *scenario.Scenario
	// Logs are those of the manifest's runs, in its order.
	Logs []Log

	// Guardrails are the manifests that were played, by path.
	Guardrails map[string][]byte

	guardrailsErr error
}

// Log is the log of one run.
type Log struct {
	Run folder.Run
	// Events are those that were recorded, or those before the damage of a damaged log.
	Events []event.Event
	// Timeline is nil if there are no events.
	Timeline *timeline.Timeline
	// Err says what is wrong with the log; nil if it is whole.
	Err error
}

// missing reports whether the run was not played. A log whose writer died in its first line holds
// as little as none.
func (l Log) missing() bool {
	return len(l.Events) == 0 && (errors.Is(l.Err, fs.ErrNotExist) || errors.Is(l.Err, folder.ErrCutOff))
}

// Read reads a run folder. Damaged logs are no error here: see [Log.Err].
func Read(dir string) (*Recording, error) {
	f, err := folder.Open(dir)
	if err != nil {
		return nil, input.New("name a folder that coalmine run made", "%w", err)
	}
	defer f.Close()
	r := &Recording{Manifest: f.Manifest}
	if r.Scenario, err = readScenario(f); err != nil {
		return nil, err
	}
	r.Guardrails, r.guardrailsErr = f.Manifests()
	for _, run := range f.Manifest.Runs {
		l := Log{Run: run}
		l.Events, l.Err = f.Events(run)
		if err := r.checkInputs(run, l.Events); err != nil {
			l.Events, l.Err = nil, err
		}
		if len(l.Events) > 0 {
			l.Timeline = timeline.Build(l.Events)
		}
		r.Logs = append(r.Logs, l)
	}
	if err := r.checkSeeds(); err != nil {
		return nil, err
	}
	return r, nil
}

// checkSeeds checks that the check seeds follow from what was played.
func (r *Recording) checkSeeds() error {
	o := r.Manifest.Options
	want := folder.CheckSeeds(r.Scenario.Digest(), digest.Files(r.Guardrails), folder.Seeds(r.Manifest.Runs), o.Nonce,
		len(r.Manifest.Check))
	for i, k := range r.Manifest.Check {
		if k.Seed != want[i] {
			return input.New("", "run.json: check seed %d is %d, and the inputs and the nonce give %d: files were "+
				"moved or edited", i+1, k.Seed, want[i])
		}
	}
	return nil
}

func readScenario(f *folder.Folder) (*scenario.Scenario, error) {
	fsys, err := f.Scenario()
	if err != nil {
		return nil, err
	}
	s, err := scenario.Load(fsys, ".")
	if err != nil {
		return nil, input.New("", "the recorded scenario: %w", err)
	}
	if err := score.ValidateRubric(s.Rubric); err != nil {
		return nil, input.New("", "scenario/%s: %w", scenario.FileScenario, err)
	}
	return s, nil
}

// Card scores what was recorded.
func (r *Recording) Card() score.Card {
	runs := r.planned()
	c := score.Evaluate(r.Scenario, runs)
	if !score.OneVersion(runs) {
		c.Confirm(r.check())
	}
	c.Own = r.own()
	c.Remarks = r.remarks(&c)
	return c
}

// NeedsCheck reports whether check seeds have to be played: they were asked for, the trial passed on
// its own seeds, and they are missing.
func (r *Recording) NeedsCheck() bool {
	if r.Manifest.Options.CheckSeeds == 0 || len(r.Manifest.Check) > 0 {
		return false
	}
	return score.Trial(r.Scenario, r.planned()).Exit == score.ExitPassed
}

// check is what came of the check seeds.
func (r *Recording) check() score.Check {
	o := r.Manifest.Options
	k := score.Check{Practice: len(folder.Seeds(r.Manifest.Runs)), Planned: o.CheckSeeds, Nonce: o.Nonce,
		Given: o.NonceGiven}
	for _, s := range r.Manifest.Check {
		k.Seeds = append(k.Seeds, score.CheckSeed{Seed: s.Seed, Outcome: s.Outcome, Exit: s.Exit, Reason: s.Reason,
			Points: s.Points, GotThrough: s.GotThrough, Drawn: s.Drawn})
	}
	return k
}

// played is the date by which a trial is judged: its start, which is known before the evidence is, so
// that every card of a folder judges alike; in folders of older versions the date of the evidence.
func (r *Recording) played() time.Time {
	if r.Manifest.Started.IsZero() && r.Manifest.Evidence != nil {
		return r.Manifest.Evidence.Date
	}
	return r.Manifest.Started
}

// planned are all runs that were asked for.
func (r *Recording) planned() []score.RunResult {
	var runs []score.RunResult
	played := r.played()
	for _, l := range r.Logs {
		runs = append(runs, score.RunResult{Name: l.Run.Name(), Role: score.Role(l.Run.Role), Timeline: l.Timeline,
			Played: played})
	}
	return runs
}

// Trial returns what reports on the folder are made of. It is an error if a log cannot be read at
// all, or if no run was recorded.
func (r *Recording) Trial() (*model.Trial, error) {
	if r.guardrailsErr != nil {
		return nil, input.New("", "the recorded guardrails: %w", r.guardrailsErr)
	}
	t := &model.Trial{Scenario: r.Scenario, Card: r.Card(), Guardrails: r.Guardrails,
		Variant: r.Manifest.Options.Guardrails}
	var missing []string
	for _, l := range r.Logs {
		switch {
		case l.missing():
			missing = append(missing, l.Run.Name())
		case l.Timeline == nil:
			return nil, input.New("", "%w", l.Err)
		case l.Err != nil:
			t.Notes = append(t.Notes, fmt.Sprintf("%v; the events before it count", l.Err))
		}
	}
	for _, p := range r.planned() {
		if p.Timeline != nil {
			t.Runs = append(t.Runs, p)
		}
	}
	if len(missing) > 0 {
		t.Notes = append(t.Notes, missingText(missing))
	}
	if len(t.Runs) == 0 {
		return t, input.New("run the trial again", "no run was recorded")
	}
	if len(r.Logs) == 1 {
		t.Single = t.Runs[0].Timeline
	}
	return t, nil
}

// maxMissing is how many runs that were not played are named.
const maxMissing = 4

func missingText(runs []string) string {
	const inconclusive = "; if those that were played pass, the trial is inconclusive"
	switch n := len(runs); {
	case n > maxMissing:
		return fmt.Sprintf("%d runs were not played, the first of them %s%s", n, runs[0], inconclusive)
	case n > 1:
		return fmt.Sprintf("%s were not played%s", strings.Join(runs, ", "), inconclusive)
	}
	return fmt.Sprintf("%s was not played%s", runs[0], inconclusive)
}

// Save writes the card and the reports that are handed in into the run folder. They are the same on
// every machine.
func Save(w *folder.Writer, t *model.Trial) error {
	files := map[report.Format][]byte{}
	for _, f := range []report.Format{report.FormatJSON, report.FormatText, report.FormatHTML,
		report.FormatPostmortem} {
		var b bytes.Buffer
		if err := report.Write(&b, f, t, report.Options{}); err != nil {
			return fmt.Errorf("write the report as %s: %w", f, err)
		}
		files[f] = b.Bytes()
	}
	if err := w.Card(files[report.FormatJSON], files[report.FormatText]); err != nil {
		return err
	}
	return w.Reports(files[report.FormatHTML], files[report.FormatPostmortem])
}
