package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/loadgen"
)

// replaying is the minimal scenario with a replayed log as traffic.
var replaying = strings.NewReplacer(
	"    rate: {constant: 10}\n", "    replay: {log: logs/access.log}\n",
	"{name: users, share: 1, users: 10, client: edge, mix: {home: 1}}", "{name: users, client: edge}",
).Replace(minimal)

// replayDir writes the scenario and its log to disk.
func replayDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileScenario), []byte(replaying))
	write(t, filepath.Join(dir, "logs", "access.log"), []byte(accessLog))
	return dir
}

func TestScenarioReplaysALog(t *testing.T) {
	s, err := open(t, replayDir(t)).Load()
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Log) != accessLog || s.LogName() != "logs/access.log" || s.Broken.Count != 1 {
		t.Errorf("the log %s has %d bytes and %d broken lines", s.LogName(), len(s.Log), s.Broken.Count)
	}
	if diff := cmp.Diff(map[string]int{"users home": 2, "users other": 1}, planned(t, s.Traffic)); diff != "" {
		t.Errorf("the plan differs (-want +got):\n%s", diff)
	}
	if got := s.Callers("front"); !slices.Equal(got, []string{"edge"}) {
		t.Errorf("the callers of front are %v", got)
	}
	if other, _, err := parse("scenario.yaml", []byte(minimal)); err != nil || other.LogName() != "" ||
		other.ReadLog() != nil {
		t.Errorf("a scenario without a log has the log %q, error %v", other.LogName(), err)
	}
}

// A scenario can be parsed without its log, but not planned.
func TestScenarioWithoutItsLog(t *testing.T) {
	s, _, err := parse("scenario.yaml", []byte(replaying))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadgen.NewPlan(s.Traffic, 1, 1e9); err == nil || !strings.Contains(err.Error(), "was not read") {
		t.Errorf("a plan without the log's lines: error %v", err)
	}
	if err := s.ReadLog(); err == nil || !strings.Contains(err.Error(), "logs/access.log: the log is empty") {
		t.Errorf("reading no log: error %v", err)
	}
}

// A scenario is sent as JSON to the process that plays it.
func TestScenarioSurvivesJSON(t *testing.T) {
	s, err := open(t, replayDir(t)).Load()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var there Scenario
	if err := json.Unmarshal(data, &there); err != nil {
		t.Fatal(err)
	}
	if err := there.ReadLog(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, &there); diff != "" {
		t.Errorf("the scenario differs (-sent +received):\n%s", diff)
	}
}

func TestLogFindings(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside.log")
	write(t, outside, []byte(accessLog))
	name := func(log string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, FileScenario), []byte(strings.Replace(replaying, "logs/access.log", log, 1)))
		}
	}
	content := func(log []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, filepath.Join(dir, "logs", "access.log"), log) }
	}
	const at = "scenario.yaml:38: spec.traffic.replay.log: "
	for what, test := range map[string]struct {
		spoil func(*testing.T, string)
		want  string
	}{
		"a missing log": {name("access.log"),
			at + `there is no file "access.log": name an access log, relative to this file`},
		"a path out of it": {name("../access.log"),
			at + `"../access.log" is not a path within the scenario's folder: put the log there`},
		"an absolute path":  {name(outside), at + `"` + outside + `" is not a path within`},
		"the folder itself": {name("./"), at + `"./" is not a path within`},
		"a folder":          {name("logs"), at + "logs cannot be read: logs: is not a regular file"},
		"another format": {name("logs/access.log, format: json"),
			at + "logs/access.log: no line of the log can be parsed; line 1: is not a JSON object"},
		"no name":          {name("''"), "scenario.yaml:38: spec.traffic.replay.log: is empty"},
		"a log of nothing": {content(nil), at + "logs/access.log: the log is empty"},
		"a log of nothing good": {content([]byte("hello\n")),
			at + "logs/access.log: no line of the log can be parsed; line 1: is not in a known format"},
		"a log of too many lines": {content(bytes.Repeat([]byte("\n"), maxLogLines+1)),
			at + "logs/access.log: the log is longer than 500000 lines"},
		"a log of too many bytes": {content(bytes.Repeat([]byte("#"), maxLog+1)),
			at + "logs/access.log cannot be read: logs/access.log: is over 16384 KiB"},
		"a link out of it": {func(t *testing.T, dir string) {
			if err := os.Symlink(outside, filepath.Join(dir, "link.log")); err != nil {
				t.Skip(err)
			}
			name("link.log")(t, dir)
		}, at + "link.log cannot be read: "},
	} {
		t.Run(what, func(t *testing.T) {
			dir := replayDir(t)
			test.spoil(t, dir)
			s, err := open(t, dir).Load()
			var problems Problems
			if !errors.As(err, &problems) || s != nil || !strings.Contains(err.Error(), filepath.Join(dir, test.want)) {
				t.Errorf("error %v, want problems with %s", err, test.want)
			}
		})
	}
}

// A log may be larger than the limit of a scenario's file.
func TestLogLimit(t *testing.T) {
	dir := replayDir(t)
	write(t, filepath.Join(dir, "logs", "access.log"), []byte(strings.Repeat(accessLog, 20_000)))
	s, err := open(t, dir).Load()
	if err != nil || len(s.Log) <= maxFile || len(s.Traffic.Replay.Lines) != 60_000 {
		t.Errorf("error %v", err)
	}
	if _, err := open(t, dir).Text("logs/access.log"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read as text: error %v", err)
	}
}
