package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/scenario/v1alpha1"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
	"coalmine/scenarios"
)

// Workload is traffic without a scenario: a file of kind Workload, or an access log.
type Workload struct {
	Name string
	// Summary is one sentence, or "".
	Summary string
	Traffic loadgen.Workload
	// Objectives say what users may expect of the routes; they are optional.
	Objectives []service.Objective
	// Broken counts the lines of a replayed log that could not be parsed.
	Broken accesslog.Broken
}

// WorkloadNames returns the names of the workloads that come with the binary, sorted.
func WorkloadNames() []string {
	entries, err := fs.ReadDir(scenarios.Workloads(), ".")
	if err != nil {
		panic(err) // it is embedded
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

// NamedWorkload returns a workload that comes with the binary. If there is none of that name, the
// error is [fs.ErrNotExist].
func NamedWorkload(name string) (*Workload, error) {
	file := name + ".yaml"
	if _, err := fs.Stat(scenarios.Workloads(), file); err != nil || !IsLabel(name) {
		return nil, fmt.Errorf("there is no workload %q: write one of %s, or the path of a file: %w",
			name, strings.Join(WorkloadNames(), ", "), fs.ErrNotExist)
	}
	fsys := scenarios.Workloads()
	return loadWorkload(file, fsys.Open)
}

// OpenWorkload reads and validates a workload file, and the access log that it replays, whose path
// is relative to the file. If the file or the log is invalid, the error is of type [Problems].
func OpenWorkload(ctx context.Context, name string) (*Workload, error) {
	w, err := loadWorkload(filepath.Base(name), func(file string) (fs.File, error) {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(name), file)
		}
		return input.OpenFile(ctx, file)
	})
	var problems Problems
	if errors.As(err, &problems) {
		for i := range problems {
			problems[i].File = name
		}
	}
	return w, err
}

// parseWorkload decodes and validates a workload; name is the name of the file, for errors. It does
// not read an access log that the workload replays, which is needed for a plan. The error is of
// type [Problems].
func parseWorkload(name string, data []byte) (*Workload, *v1alpha1.WorkloadDocument, error) {
	d, err := v1alpha1.DecodeWorkload(data)
	if err != nil {
		return nil, nil, decodeProblems(name, err)
	}
	w := workloadFromV1alpha1(&d.Workload)
	if problems := locate(name, w.problems(), d.Positions); len(problems) > 0 {
		return nil, nil, problems
	}
	return w, d, nil
}

// problems checks everything that can be checked without running the workload.
func (w *Workload) problems() []finding {
	v := &validator{scenario: &Scenario{Traffic: w.Traffic, Objectives: w.Objectives}}
	v.label(fieldPath{"name"}, w.Name)
	v.addJoined(fieldPath{}, w.Traffic.Validate())
	v.eachObjective()
	return v.findings
}

// opener opens a file by its path relative to that of the workload.
type opener func(name string) (fs.File, error)

// loadWorkload reads a workload and its log.
func loadWorkload(name string, open opener) (*Workload, error) {
	data, err := open.read(name)
	if err != nil {
		return nil, err
	}
	w, d, err := parseWorkload(name, data)
	if err != nil || w.Traffic.Replay == nil {
		return w, err
	}
	if err := w.loadLog(open); err != nil {
		at := wirePath(fieldPath{"replay", "log"})
		return nil, Problems{{File: name, Line: d.Line(at...), Field: at.String(), Message: err.Error()}}
	}
	return w, nil
}

// read reads a workload file of limited size.
func (open opener) read(name string) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = Problems{{File: name, Message: fmt.Sprintf("is over %d KiB: a workload names its access log "+
			"in spec.replay.log", maxFile>>10)}}
	}
	return data, err
}

// loadLog reads the log that the workload replays.
func (w *Workload) loadLog(open opener) error {
	r := w.Traffic.Replay
	f, err := open(r.Log)
	if err != nil {
		return readLogError(r.Log, err)
	}
	defer f.Close()
	log, err := accesslog.Read(f, r.Format)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Log, err)
	}
	w.Traffic.Replay, w.Broken = withLines(r, log), log.Broken
	return nil
}
