package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Remote plays submissions elsewhere, such as in the pods of a cluster.
type Remote interface {
	// Play calls [ServeChunk] for the chunks 0 to n-1 of the tasks in a folder, or in a copy of it
	// whose results it puts into the folder. It tells done how many chunks are complete. A chunk
	// that fails leaves tasks without a result; an error means that nothing can be played.
	Play(ctx context.Context, folder string, n int, done func(int)) error
}

// chunkSize is how many tasks a chunk has. A pod takes longer to start than to play one.
const chunkSize = 8

// Names in the folder of the tasks.
const (
	fileTasks   = "tasks.json"
	dirTasks    = "tasks"
	dirResults  = "results"
	dirScenario = "scenarios"
)

// tasks is what is played remotely. It has the secret seeds.
type tasks struct {
	Scenarios  []remoteScenario `json:"scenarios"`
	Tasks      int              `json:"tasks"`
	CPUSeconds int              `json:"cpu_seconds"`
	// Timeout is in nanoseconds.
	Timeout int64 `json:"timeout"`
}

// remoteScenario is a scenario by the name or path that a chunk opens it by.
type remoteScenario struct {
	Name string `json:"name"`
	Open string `json:"open"`
	Plan Plan   `json:"plan"`
}

// packed are the guardrails of a submission for one scenario: all that a worker needs of it.
type packed struct {
	Scenario int               `json:"scenario"`
	Digest   string            `json:"digest"`
	Files    map[string][]byte `json:"files"`
}

func taskName(i int) string { return fmt.Sprintf("%05d", i) }

// playRemote lets Remote play what is not known yet. The parts are then graded as if somebody was
// playing the same guardrails already.
func (g *grader) playRemote(ctx context.Context) error {
	dir := filepath.Join(g.workDir(), "remote")
	keys, err := g.pack(ctx, filepath.Join(dir, dirTasks))
	if err != nil || len(keys) == 0 {
		return err
	}
	if err := g.describe(dir, len(keys)); err != nil {
		return err
	}
	chunks := (len(keys) + chunkSize - 1) / chunkSize
	g.report(func(p *Progress) { p.RemoteTotal = len(keys) })
	err = g.Remote.Play(ctx, dir, chunks, func(n int) {
		g.report(func(p *Progress) { p.Remote = min(n*chunkSize, len(keys)) })
	})
	if err != nil {
		return err
	}
	for i, key := range keys {
		f := g.flights[key.String()]
		f.part, f.dir = g.fetched(filepath.Join(dir, dirResults, taskName(i)), key)
	}
	return nil
}

// taskKey is what submissions have in common if they are played once.
type taskKey struct {
	scenario string
	n        int
	digest   string
}

func (k taskKey) String() string { return k.scenario + " " + k.digest }

// pack reads all submissions, in workers with limits, and writes a task for each set of guardrails
// that has to be played.
func (g *grader) pack(ctx context.Context, dir string) ([]taskKey, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	packs := make([]*packed, len(g.Submissions)*len(g.sources))
	failures := make([]error, len(packs))
	var reading sync.WaitGroup
	places := make(chan struct{}, max(g.Workers, 1))
	for i := range packs {
		places <- struct{}{}
		reading.Go(func() {
			packs[i], failures[i] = g.read(ctx, i)
			<-places
		})
	}
	reading.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	var keys []taskKey
	closed := make(chan struct{})
	close(closed)
	for _, p := range packs {
		if p == nil {
			continue
		}
		key := taskKey{g.sources[p.Scenario].Scenario.Name, p.Scenario, p.Digest}
		if g.flights[key.String()] != nil {
			continue
		}
		data, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, taskName(len(keys))+".json"), data, 0o644); err != nil {
			return nil, err
		}
		g.flights[key.String()] = &flight{done: closed}
		keys = append(keys, key)
	}
	return keys, nil
}

// read reads the guardrails of a part. It returns nil if there is nothing to play.
func (g *grader) read(ctx context.Context, i int) (*packed, error) {
	s, n := g.Submissions[i/len(g.sources)], i%len(g.sources)
	staging := filepath.Join(g.workDir(), "read-"+strconv.Itoa(i))
	j := g.job(s, n, staging)
	j.Pack = true
	p, err := startProcess(ctx, g.Options, j)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	first := p.answer(newPart(g.sources[n].Scenario))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if first.Part != nil {
		return nil, nil
	}
	dir := filepath.Join(g.Out, DirLearners, s.Learner, g.sources[n].Scenario.Name)
	if _, ok := g.stored(dir, first.Digest); ok {
		return nil, nil
	}
	return &packed{Scenario: n, Digest: first.Digest, Files: first.Files}, nil
}

// describe writes what the tasks share.
func (g *grader) describe(dir string, n int) error {
	t := tasks{Tasks: n, CPUSeconds: g.CPUSeconds, Timeout: int64(g.Timeout)}
	for i, src := range g.sources {
		s := remoteScenario{Name: src.Scenario.Name, Open: src.Scenario.Name, Plan: g.plans[i]}
		if src.OnDisk() {
			s.Open = filepath.Join(dirScenario, s.Name)
			from := g.Scenarios[i]
			if !filepath.IsAbs(from) {
				from = filepath.Join(g.Base, from)
			}
			if err := os.CopyFS(filepath.Join(dir, s.Open), os.DirFS(from)); err != nil {
				return fmt.Errorf("copy the scenario %s: %w", s.Name, err)
			}
		}
		if err := copyTree(g.sharedDir(i), filepath.Join(dir, dirShared, s.Name)); err != nil {
			return err
		}
		t.Scenarios = append(t.Scenarios, s)
	}
	data, err := marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fileTasks), data, 0o644)
}

// fetched returns the result of a task, and its folder.
func (g *grader) fetched(dir string, key taskKey) (Part, string) {
	data, err := os.ReadFile(filepath.Join(dir, filePart))
	var p Part
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err == nil && (p.Scenario != key.scenario || p.Digest != "" && p.Digest != key.digest) {
		err = errors.New("it has the result of other guardrails")
	}
	if err != nil {
		p = newPart(g.sources[key.n].Scenario)
		p.withoutGrade(CauseLab, "the cluster did not finish it; grade again to retry")
		return p, ""
	}
	return p, dir
}
