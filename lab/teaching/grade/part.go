package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"coalmine/lab/teaching/grade/submission"
)

// flight is a part that is being played. Others with the same guardrails wait for it.
type flight struct {
	done chan struct{}
	part Part
	dir  string
	err  error
}

// part grades one submission in one scenario. It returns an error only if the results cannot be
// written, or if ctx ended.
func (g *grader) part(ctx context.Context, i int) (Part, error) {
	s, n := g.Submissions[i/len(g.sources)], i%len(g.sources)
	dir := filepath.Join(g.Out, DirLearners, s.Learner, g.sources[n].Scenario.Name)
	staging := filepath.Join(g.workDir(), strconv.Itoa(i))
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return Part{}, err
	}
	empty := newPart(g.sources[n].Scenario)
	p, err := startProcess(ctx, g.Options, g.job(s, n, staging))
	if err != nil {
		return Part{}, err
	}
	defer p.stop()
	first := p.answer(empty)
	if first.Part != nil {
		return *first.Part, store(ctx, *first.Part, staging, dir)
	}
	if stored, ok := g.stored(dir, first.Digest); ok {
		return stored, os.RemoveAll(staging)
	}
	f, mine := g.join(g.sources[n].Scenario.Name + " " + first.Digest)
	if mine {
		f.dir = dir
		f.part, f.err = g.play(ctx, p, empty, staging, dir)
		close(f.done)
		return f.part, f.err
	}
	p.stop()
	select {
	case <-f.done:
	case <-ctx.Done():
		return Part{}, context.Cause(ctx)
	}
	if f.err != nil {
		return Part{}, f.err
	}
	if f.dir == "" {
		return f.part, store(ctx, f.part, staging, dir)
	}
	return f.part, errors.Join(copyTree(f.dir, staging), move(staging, dir))
}

// job is what a worker does for a submission in the n-th scenario.
func (g *grader) job(s submission.Submission, n int, out string) job {
	return job{Submission: s, Scenario: g.Scenarios[n], Base: g.Base, Alone: len(g.sources) == 1, Plan: g.plans[n],
		CPUSeconds: g.CPUSeconds, Shared: g.sharedDir(n), Out: out}
}

// join returns the flight of a key, and whether it is the caller's to play.
func (g *grader) join(key string) (*flight, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.flights[key]; f != nil {
		return f, false
	}
	f := &flight{done: make(chan struct{})}
	g.flights[key] = f
	return f, true
}

func (g *grader) play(ctx context.Context, p *process, empty Part, staging, dir string) (Part, error) {
	start := time.Now()
	part := *p.play(empty).Part
	if g.RealTime {
		part.Real = time.Since(start).Round(time.Millisecond).Seconds()
	}
	return part, store(ctx, part, staging, dir)
}

// stored returns what an earlier grading found, if it is about the same guardrails. What was not
// graded then is tried again.
func (g *grader) stored(dir, digest string) (Part, bool) {
	data, err := os.ReadFile(filepath.Join(dir, filePart))
	if err != nil {
		return Part{}, false
	}
	var p Part
	if err := json.Unmarshal(data, &p); err != nil {
		return Part{}, false
	}
	return p, p.Status == Graded && p.Digest == digest && g.RealTime == (p.Real > 0)
}

// store writes a part into its folder. A folder with the file of the result is complete.
func store(ctx context.Context, p Part, staging, dir string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.Status != Graded {
		for _, name := range []string{dirRun, dirPractice} {
			if err := os.RemoveAll(filepath.Join(staging, name)); err != nil {
				return err
			}
		}
	}
	data, err := marshal(p)
	if err != nil {
		return err
	}
	return errors.Join(writeFile(filepath.Join(staging, filePart), data), move(staging, dir))
}

func move(staging, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return os.Rename(staging, dir)
}

// copyTree copies a folder. Large files are shared where the file system can.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if os.Link(path, target) == nil {
			return nil
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(fmt.Errorf("copy %s: %w", filepath.Base(from), err), out.Close())
	}
	return out.Close()
}
