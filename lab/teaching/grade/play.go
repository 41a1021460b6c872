package grade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/input/digest"
	"coalmine/lab/report"
	"coalmine/lab/report/model"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Names of the run folders of a part.
const (
	dirRun      = "run"
	dirPractice = "practice"
)

func seconds(s event.Seconds) float64 { return time.Duration(s).Seconds() }

// play plays a trial into a run folder and writes its reports.
func (w *task) play(ctx context.Context, set *guardrail.Set, seeds []uint64, drawn bool, dir string) (*model.Trial,
	error) {
	t, err := trial.Plan(w.src, set, trial.Options{SeedList: seeds, Drawn: drawn, Versions: w.job.Versions})
	if err != nil {
		return nil, err
	}
	t.Manifest.Started = w.job.Date
	out, err := t.Create(dir)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	rec := &result.Recording{Manifest: t.Manifest, Scenario: w.src.Scenario, Guardrails: t.Guardrails,
		Logs: make([]result.Log, len(t.Runs))}
	player := &sharedPlayer{own: run.InProcess{Cluster: w.cluster}, learner: set, dir: w.job.Shared, drawn: drawn}
	played := t.Play(ctx, player, 1, out, func(i int, log run.Log) run.Log {
		rec.Logs[i] = result.Log{Run: t.Runs[i], Timeline: new(timeline.Timeline)}
		return &foldingLog{Log: log, timeline: rec.Logs[i].Timeline}
	})
	evidence := folder.Evidence{Date: w.job.Date, Binary: w.job.Binary, ScenarioDigest: w.src.Scenario.Digest(),
		GuardrailsDigest: digest.Files(t.Guardrails), Own: result.Own(w.src.Folder, t.Guardrails)}
	if err := errors.Join(played, out.Seal(evidence, nil)); err != nil {
		return nil, err
	}
	rec.Manifest.Evidence = &evidence
	m, err := rec.Trial()
	if err != nil {
		return nil, err
	}
	return m, result.Save(out, m)
}

// practise plays the public seeds, as the learner could.
func (w *task) practise(ctx context.Context, set *guardrail.Set) error {
	m, err := w.play(ctx, set, w.job.practiceSeeds(), false, filepath.Join(w.job.Out, dirPractice))
	if err != nil {
		return err
	}
	var card bytes.Buffer
	if err := report.Write(&card, report.FormatText, m, report.Options{Width: 100, Color: true}); err != nil {
		return err
	}
	w.part.Practice = &Practice{Outcome: m.Card.Outcome, Reason: m.Card.Reason, Points: m.Card.Points,
		Max: m.Card.MaxPoints, Runs: runsOf(&m.Card), Card: card.String(),
		HarmAvoided: m.Card.Harm.Avoided, Skill: m.Card.Skill, MTTD: meanMTTD(&m.Card)}
	return nil
}

// foldingLog folds the events of a log while they are written.
type foldingLog struct {
	run.Log
	timeline *timeline.Timeline
}

// Write implements [run.Log].
func (l *foldingLog) Write(e event.Event) {
	l.Log.Write(e)
	l.timeline.Fold(e)
}

// sharedPlayer plays the learner's runs, and reads those that they are compared with.
type sharedPlayer struct {
	own     run.Player
	learner *guardrail.Set
	dir     string
	drawn   bool
}

// Play implements [run.Player].
func (p *sharedPlayer) Play(ctx context.Context, spec cluster.RunSpec, sink func(event.Event)) error {
	if spec.Guardrails == p.learner {
		return p.own.Play(ctx, spec, sink)
	}
	role := score.RoleReference
	if spec.Guardrails == nil {
		role = score.RoleUnguarded
	}
	f, err := os.Open(sharedPath(p.dir, role, spec.Seed, p.drawn))
	if err != nil {
		return fmt.Errorf("read a shared run: %w", err)
	}
	defer f.Close()
	return event.Scan(f, sink)
}

// sharedPath is the log of a run that the runs of all learners are compared with.
func sharedPath(dir string, role score.Role, seed uint64, drawn bool) string {
	kind := "practice"
	if drawn {
		kind = "graded"
	}
	return filepath.Join(dir, kind, folder.Run{Role: string(role), Seed: seed}.Name()+".jsonl")
}

// shareRuns plays the unguarded and reference runs of a scenario once, for all learners. Those that
// are there from an earlier grading are kept.
func shareRuns(ctx context.Context, src *trial.Source, p Plan, dir string, player run.Player, workers int,
	done func()) error {
	var specs []cluster.RunSpec
	var paths []string
	for _, g := range []struct {
		seeds []uint64
		drawn bool
	}{{p.Seeds, true}, {p.practiceSeeds(), false}} {
		t, err := trial.Plan(src, nil, trial.Options{SeedList: g.seeds, Drawn: g.drawn})
		if err != nil {
			return err
		}
		for i, r := range t.Runs {
			role := score.Role(r.Role)
			path := sharedPath(dir, role, r.Seed, g.drawn)
			if role != score.RoleUnguarded && role != score.RoleReference {
				continue
			}
			if _, err := os.Stat(path); err == nil {
				done()
				continue
			}
			specs, paths = append(specs, t.Specs[i]), append(paths, path)
		}
	}
	return run.PlayAll(ctx, player, specs, workers, func(i int) (run.Log, error) {
		return newSharedLog(paths[i], done)
	})
}

// sharedLog is a log that gets its name when it is complete.
type sharedLog struct {
	*event.Writer
	file *os.File
	path string
	done func()

	mu    sync.Mutex
	ended bool
}

func newSharedLog(path string, done func()) (*sharedLog, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, err
	}
	return &sharedLog{Writer: event.NewWriter(f), file: f, path: path, done: done}, nil
}

// Write implements [run.Log].
func (l *sharedLog) Write(e event.Event) {
	l.Writer.Write(e)
	if end, ok := e.Fact.(event.RunEnded); ok {
		l.mu.Lock()
		l.ended = end.Outcome == event.OutcomeCompleted || end.Outcome == event.OutcomeNotReady
		l.mu.Unlock()
	}
}

// Close implements [run.Log].
func (l *sharedLog) Close() error {
	err := errors.Join(l.Writer.Close(), l.file.Close())
	if err != nil || !l.ended {
		return errors.Join(err, os.Remove(l.path+".tmp"))
	}
	l.done()
	return os.Rename(l.path+".tmp", l.path)
}
