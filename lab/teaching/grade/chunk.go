package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/run/folder"
)

// ServeChunk plays the tasks of one chunk in a folder that [Remote.Play] got. Tasks that have a
// result are left alone, so that a chunk which failed is resumed. The program must be the one that
// wrote the tasks.
func ServeChunk(ctx context.Context, dir string, n int, binary folder.Binary, program Program) error {
	data, err := os.ReadFile(filepath.Join(dir, fileTasks))
	if err != nil {
		return fmt.Errorf("read the tasks: %w", err)
	}
	var t tasks
	if err := json.Unmarshal(data, &t); err != nil {
		return fmt.Errorf("read the tasks: %w", err)
	}
	for i := n * chunkSize; i < min((n+1)*chunkSize, t.Tasks); i++ {
		if err := t.play(ctx, dir, i, binary, program); err != nil {
			return fmt.Errorf("task %d: %w", i, err)
		}
	}
	return nil
}

// play plays one task and stores its result.
func (t tasks) play(ctx context.Context, dir string, i int, binary folder.Binary, program Program) error {
	target := filepath.Join(dir, dirResults, taskName(i))
	if _, err := os.Stat(filepath.Join(target, filePart)); err == nil {
		return nil
	}
	file := filepath.Join(dir, dirTasks, taskName(i)+".json")
	p, err := readPacked(file)
	if err != nil {
		return err
	}
	if p.Scenario < 0 || p.Scenario >= len(t.Scenarios) {
		return fmt.Errorf("there is no scenario %d", p.Scenario)
	}
	s := t.Scenarios[p.Scenario]
	if s.Plan.Binary != binary {
		return input.New("make it with: coalmine grade image", "the image has another program (%s) than the grading "+
			"(%s)", binary.Version, s.Plan.Binary.Version)
	}
	staging := target + ".part"
	if err := errors.Join(os.RemoveAll(staging), os.MkdirAll(staging, 0o755)); err != nil {
		return err
	}
	part, err := t.grade(ctx, program, job{Packed: file, Scenario: s.Open, Base: dir, Plan: s.Plan,
		CPUSeconds: t.CPUSeconds, Shared: filepath.Join(dir, dirShared, s.Name), Out: staging}, s.Name)
	if err != nil {
		return err
	}
	return store(ctx, part, staging, target)
}

// grade plays a job in a process with limits.
func (t tasks) grade(ctx context.Context, program Program, j job, scenario string) (Part, error) {
	o := Options{Worker: program, CPUSeconds: t.CPUSeconds, Timeout: time.Duration(t.Timeout)}
	p, err := startProcess(ctx, o, j)
	if err != nil {
		return Part{}, err
	}
	defer p.stop()
	empty, err := emptyPart(j.Base, j.Scenario)
	if err != nil {
		return Part{}, fmt.Errorf("open the scenario %s: %w", scenario, err)
	}
	if first := p.answer(empty); first.Part != nil {
		return *first.Part, nil
	}
	return *p.play(empty).Part, nil
}

// readPacked reads the guardrails of a task.
func readPacked(file string) (packed, error) {
	var p packed
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err == nil && len(p.Files) == 0 {
		err = fs.ErrInvalid
	}
	return p, err
}
