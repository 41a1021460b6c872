package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"coalmine/lab/input/digest"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// Limits of a scenario's access log: it is sent to each worker and kept in each run folder. Half a
// million lines compressed by gzip are about 8 MiB.
const (
	maxLog      = 16 << 20
	maxLogText  = 128 << 20
	maxLogLines = 500_000
)

// loadLog reads the access log of a scenario's folder.
func (s *Scenario) loadLog(fsys fs.FS, dir string) error {
	name := path.Clean(s.Traffic.Replay.Log)
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%q is not a path within the scenario's folder: put the log there, "+
			"and write its path with slashes", s.Traffic.Replay.Log)
	}
	data, err := readFile(fsys, path.Join(dir, name), maxLog)
	if err != nil {
		return readLogError(s.Traffic.Replay.Log, err)
	}
	s.Log = data
	return s.ReadLog()
}

// ReadLog parses [Scenario.Log] into the traffic, as [Load] does, for a scenario that was received
// without its folder. It does nothing if the scenario does not replay a log.
func (s *Scenario) ReadLog() error {
	r := s.Traffic.Replay
	if r == nil {
		return nil
	}
	reader := accesslog.Reader{Format: r.Format, MaxLines: maxLogLines, MaxBytes: maxLogText}
	log, err := reader.Read(bytes.NewReader(s.Log))
	if err != nil {
		return fmt.Errorf("%s: %w", r.Log, err)
	}
	s.Traffic.Replay, s.Broken = withLines(r, log), log.Broken
	return nil
}

// withLines returns a copy of r with the lines of a log.
func withLines(r *loadgen.Replay, log accesslog.Log) *loadgen.Replay {
	c := *r
	c.Lines = log.Lines
	return &c
}

// LogName returns the path of the access log that the traffic replays, within the scenario's
// folder, or "" if there is none.
func (s *Scenario) LogName() string {
	if s.Traffic.Replay == nil {
		return ""
	}
	return path.Clean(s.Traffic.Replay.Log)
}

// Digest returns the SHA-256 digest of the files that say what a run of the scenario is: its
// description, and the access log that it replays. It is "" for a scenario without a file.
func (s *Scenario) Digest() string {
	if s.Source == nil {
		return ""
	}
	files := map[string][]byte{FileScenario: s.Source}
	if name := s.LogName(); name != "" {
		files[name] = s.Log
	}
	return digest.Files(files)
}

// readLogError describes why a log cannot be read, without the operation and path of the system's
// error.
func readLogError(name string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %q: name an access log, relative to this file", name)
	}
	return fmt.Errorf("%s cannot be read: %w", name, err)
}
