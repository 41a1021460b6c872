// Package grade grades submissions: it plays what learners handed in with seeds that only the
// instructor knows, against the instructor's scenarios, and says what each of them is worth.
//
// Each submission is read and played in a process of its own with limits. One that cannot be read or
// played has a reason in place of a grade, and keeps nobody else from theirs. Points come from what
// was measured only. The same submissions, seeds and program give the same bytes, whatever the
// number of workers, and a grading that was killed goes on where it was.
package grade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/grade/submission"
)

// Options of a grading.
type Options struct {
	Submissions []submission.Submission
	// Scenarios are names or paths; paths start from Base.
	Scenarios []string
	Base      string
	// Seeds secret seeds follow from Key. The public seeds 1 to Practice are played, too, and do not
	// count.
	Key             Key
	Seeds, Practice int
	// Date is the one by which submissions are judged.
	Date     time.Time
	Versions map[string]string
	Binary   folder.Binary
	// Out is the folder of the results. What an earlier grading with the same options left there is
	// kept.
	Out string
	// Workers is how many submissions are graded at the same time.
	Workers int
	// Player plays the runs that all learners are compared with. Worker is the program that grades
	// one submission, with the arguments that make it do so.
	Player run.Player
	Worker Program
	// CPUSeconds and Timeout limit the time for one submission in one scenario.
	CPUSeconds int
	Timeout    time.Duration
	// Remote plays the submissions; nil plays them on this machine.
	Remote Remote
	// RealTime records how long playing took. It is not the same twice.
	RealTime bool
	// Progress is told of each submission that is done, from one goroutine at a time. It may be nil.
	Progress func(Progress)
}

// Program is a program and its arguments, the first of which is its name.
type Program struct {
	Path string
	Args []string
}

// Progress says how far a grading is.
type Progress struct {
	// Shared counts the runs that all learners are compared with, Done the parts of submissions.
	Shared, SharedTotal int
	Done, Total         int
	NotGraded           int
	// Remote counts what was played elsewhere, 0 of 0 without.
	Remote, RemoteTotal int
}

// Grading is the result.
type Grading struct {
	Config   Config
	Learners []Learner
}

// NotGraded counts the learners without a grade.
func (g *Grading) NotGraded() int {
	n := 0
	for _, l := range g.Learners {
		if l.Status != Graded {
			n++
		}
	}
	return n
}

// Limits of the options.
const (
	MaxSeeds     = 50
	MaxScenarios = 20
)

func (o Options) check() error {
	switch {
	case o.Seeds < 1 || o.Seeds > MaxSeeds:
		return input.New("", "there are %d secret seeds: write 1 to %d", o.Seeds, MaxSeeds)
	case o.Practice < 0 || o.Practice > MaxSeeds:
		return input.New("", "there are %d practice seeds: write 0 to %d", o.Practice, MaxSeeds)
	case o.Remote != nil && o.RealTime:
		return input.New("leave out one of them", "how long playing takes is not recorded elsewhere")
	case len(o.Scenarios) == 0 || len(o.Scenarios) > MaxScenarios:
		return input.New("name those that the class has played", "there are %d scenarios: write 1 to %d",
			len(o.Scenarios), MaxScenarios)
	}
	return nil
}

// Grade grades submissions into the folder of the options. It returns an error only if nothing can
// be graded, or if ctx ended.
func Grade(ctx context.Context, o Options) (*Grading, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	g := &grader{Options: o, flights: map[string]*flight{}}
	defer g.close()
	if err := g.open(); err != nil {
		return nil, err
	}
	if err := g.prepare(ctx); err != nil {
		return nil, err
	}
	if g.Remote != nil {
		if err := g.playRemote(ctx); err != nil {
			return nil, err
		}
	}
	if err := g.playAll(ctx); err != nil {
		return nil, err
	}
	return g.result(), os.RemoveAll(g.workDir())
}

// grader grades submissions.
type grader struct {
	Options
	sources []*trial.Source
	plans   []Plan
	config  Config

	mu       sync.Mutex
	flights  map[string]*flight
	next     int
	parts    []Part // learner by learner, each in the order of the scenarios
	progress Progress
	err      error
}

func (g *grader) close() {
	for _, s := range g.sources {
		s.Close()
	}
}

// open opens the scenarios and plans their runs.
func (g *grader) open() error {
	var names []string
	for _, name := range g.Scenarios {
		src, err := trial.Open(g.Base, name)
		if err != nil {
			return err
		}
		g.sources = append(g.sources, src)
		s := src.Scenario
		if slices.Contains(names, s.Name) {
			return input.New("", "the scenario %s is named twice", s.Name)
		}
		names = append(names, s.Name)
		g.plans = append(g.plans, Plan{Seeds: g.Key.Seeds(s.Name, g.Seeds), Practice: g.Practice, Date: g.Date,
			Versions: g.Versions, Binary: g.Binary})
	}
	g.config = newConfig(g.Options, g.scenarios())
	return nil
}

func (g *grader) scenarios() []*scenario.Scenario {
	var all []*scenario.Scenario
	for _, s := range g.sources {
		all = append(all, s.Scenario)
	}
	return all
}

// DirLearners has a folder for each learner in the folder of the results.
const DirLearners = "learners"

// Other names there.
const (
	dirShared = "shared-runs"
	dirWork   = ".work"
	filePart  = "result.json"
)

func (g *grader) workDir() string { return filepath.Join(g.Out, dirWork) }

func (g *grader) sharedDir(scenario int) string {
	return filepath.Join(g.Out, dirShared, g.sources[scenario].Scenario.Name)
}

// prepare makes the folder of the results and plays the runs that all learners share.
func (g *grader) prepare(ctx context.Context) error {
	if err := g.config.claim(g.Out); err != nil {
		return err
	}
	if err := os.RemoveAll(g.workDir()); err != nil {
		return err
	}
	if err := os.MkdirAll(g.workDir(), 0o755); err != nil {
		return err
	}
	g.progress.Total = len(g.Submissions) * len(g.sources)
	for i, src := range g.sources {
		roles := 1 // unguarded
		if _, err := src.Files(scenario.Solution); err == nil {
			roles = 2
		}
		g.progress.SharedTotal += roles * len(slices.Concat(g.plans[i].Seeds, g.plans[i].practiceSeeds()))
	}
	for i, src := range g.sources {
		err := shareRuns(ctx, src, g.plans[i], g.sharedDir(i), g.Player, g.Workers, func() {
			g.report(func(p *Progress) { p.Shared++ })
		})
		if err != nil {
			return fmt.Errorf("play the runs that learners are compared with: %w", err)
		}
	}
	return nil
}

// report changes the progress and tells about it.
func (g *grader) report(change func(*Progress)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.progress)
	if g.Progress != nil {
		g.Progress(g.progress)
	}
}

// playAll grades all parts, several at a time.
func (g *grader) playAll(ctx context.Context) error {
	g.parts = make([]Part, g.progress.Total)
	var working sync.WaitGroup
	for range min(max(g.Workers, 1), max(len(g.parts), 1)) {
		working.Go(func() { g.work(ctx) })
	}
	working.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return g.err
}

func (g *grader) work(ctx context.Context) {
	for {
		g.mu.Lock()
		i := g.next
		stop := i == len(g.parts) || g.err != nil || ctx.Err() != nil
		if !stop {
			g.next++
		}
		g.mu.Unlock()
		if stop {
			return
		}
		part, err := g.part(ctx, i)
		if err != nil {
			g.mu.Lock()
			g.err = errors.Join(g.err, err)
			g.mu.Unlock()
			return
		}
		g.parts[i] = part
		g.report(func(p *Progress) {
			p.Done++
			if part.Status != Graded {
				p.NotGraded++
			}
		})
	}
}

// result puts the parts together.
func (g *grader) result() *Grading {
	r := &Grading{Config: g.config}
	for i, s := range g.Submissions {
		l := Learner{Learner: s.Learner, Submission: s.Name, FullName: s.FullName, CanvasID: s.CanvasID,
			Parts: g.parts[i*len(g.sources) : (i+1)*len(g.sources)]}
		l.sum()
		r.Learners = append(r.Learners, l)
	}
	return r
}
