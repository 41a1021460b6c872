package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// Limits of the access log of a scenario: it travels to each worker that plays a run and is kept in each run folder. Packed by
// gzip, half a million lines are some 8 MiB.
const (
	maxLog      = 16 << 20
	maxLogText  = 128 << 20
	maxLogLines = 500_000
)

// loadLog reads the access log of a scenario's folder.
func (s *Scenario) loadLog(fsys fs.FS, dir string) error {
	name := path.Clean(s.Traffic.Replay.Log)
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%q is no path within the scenario's folder: put the log there, and write its path with slashes", s.Traffic.Replay.Log)
	}
	data, err := readFile(fsys, path.Join(dir, name), maxLog)
	if err != nil {
		return readLogError(s.Traffic.Replay.Log, err)
	}
	s.Log = data
	return s.ReadLog()
}

// ReadLog reads [Scenario.Log] into the traffic, as [Load] does: for a scenario that came without its folder. It does nothing
// for a scenario that replays no log.
func (s *Scenario) ReadLog() error {
	r := s.Traffic.Replay
	if r == nil {
		return nil
	}
	log, err := accesslog.Reader{Format: r.Format, MaxLines: maxLogLines, MaxBytes: maxLogText}.Read(bytes.NewReader(s.Log))
	if err != nil {
		return fmt.Errorf("%s: %w", r.Log, err)
	}
	s.Traffic.Replay, s.Broken = withLines(r, log), log.Broken
	return nil
}

// withLines returns a copy that has the lines of a log.
func withLines(r *loadgen.Replay, log accesslog.Log) *loadgen.Replay {
	c := *r
	c.Lines = log.Lines
	return &c
}

// LogName is the path of the access log that the traffic replays, within the scenario's folder; "" for none.
func (s *Scenario) LogName() string {
	if s.Traffic.Replay == nil {
		return ""
	}
	return path.Clean(s.Traffic.Replay.Log)
}

// readLogError says of a log why it cannot be read, without what the system tried with which file.
func readLogError(name string, err error) error {
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		err = wrong.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %q: name an access log, relative to this file", name)
	}
	return fmt.Errorf("%s cannot be read: %w", name, err)
}
