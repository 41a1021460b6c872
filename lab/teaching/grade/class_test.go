package grade_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab/cluster/sim"
	"coalmine/lab/run"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/submission"
	"coalmine/scenarios"
)

// workerArgument makes the test binary a worker.
const workerArgument = "grade-worker"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerArgument {
		if err := grade.Serve(context.Background(), os.Stdin, os.Stdout, sim.Cluster{Version: "test"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// kind is a kind of submission, and what has to come of it.
type kind struct {
	name        string
	count, long int // how many there are in a short and in a long test
	files       func(i int) map[string]string
	archive     func(t *testing.T) []byte
	status      grade.Status
	least, most int
	says        string
}

const played = "full-rollout"

func variant(t testing.TB, name string) map[string]string {
	t.Helper()
	f, err := scenario.Open(scenarios.Library(), played)
	if err != nil {
		t.Fatal(err)
	}
	files, err := f.Files(name)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, data := range files {
		all[name] = string(data)
	}
	return all
}

// signed returns files with a comment, so that no other submission has the same bytes.
func signed(files map[string]string, who string) map[string]string {
	all := maps.Clone(files)
	for name := range all {
		all[name] += "# by " + who + "\n"
	}
	return all
}

func cheat(t *testing.T, set string) map[string]string {
	t.Helper()
	archive, err := txtar.ParseFile("../../run/trial/testdata/cheats/" + played + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, set+"/"); ok {
			all[name] = string(f.Data)
		}
	}
	return all
}

func zipOf(t *testing.T, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	e, err := w.Create(name)
	if err == nil {
		_, err = e.Write([]byte(text))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func kinds(t *testing.T) []kind {
	good, naive := variant(t, scenario.Solution), variant(t, "naive")
	one := func(text string) func(int) map[string]string {
		return func(int) map[string]string { return map[string]string{"canary.yaml": text} }
	}
	zipped := func(name, text string) func(*testing.T) []byte {
		return func(t *testing.T) []byte { return zipOf(t, name, text) }
	}
	own := func(files map[string]string, who string) func(int) map[string]string {
		return func(i int) map[string]string { return signed(files, fmt.Sprint(who, i)) }
	}
	same := func(files map[string]string) func(int) map[string]string {
		return func(int) map[string]string { return files }
	}
	return []kind{
		{name: "good", count: 1, long: 20, files: own(good, "good"), status: grade.Graded, least: 90, most: 100},
		{name: "copy", count: 2, long: 10, files: same(good), status: grade.Graded, least: 90, most: 100},
		{name: "naive", count: 1, long: 10, files: own(naive, "naive"), status: grade.Graded, most: 30},
		{name: "broken", count: 1, long: 5, files: one("kind: ["), status: grade.Graded, says: "invalid YAML"},
		{name: "empty", count: 1, long: 3, files: func(int) map[string]string { return nil }, status: grade.Graded,
			says: "no manifests"},
		{name: "slip", count: 1, long: 3, archive: zipped("../a.yaml", "x"), status: grade.NotGraded,
			says: "leads out of it"},
		{name: "bomb", count: 1, long: 3, archive: zipped("a.yaml", strings.Repeat("a", 20<<20)),
			status: grade.NotGraded, says: "larger than"},
		{name: "hang", count: 1, long: 2, files: one("kind: " + strings.Repeat("[", 100_000)), status: grade.Graded,
			says: "canary.yaml"},
		{name: "stops", count: 0, long: 2, files: same(cheat(t, "stop-everything")), status: grade.Graded, most: 50},
		{name: "label", count: 1, long: 2, files: same(cheat(t, "version-label")), status: grade.Graded, most: 50},
	}
}

// handIn writes a class and returns the kind of each learner.
func handIn(t *testing.T, dir string, long bool) map[string]kind {
	t.Helper()
	class := map[string]kind{}
	for _, k := range kinds(t) {
		n := k.count
		if long {
			n = k.long
		}
		for i := range n {
			learner := fmt.Sprintf("%s%d", k.name, i)
			class[learner] = k
			if k.archive != nil {
				write(t, filepath.Join(dir, learner+".zip"), k.archive(t))
				continue
			}
			if err := os.MkdirAll(filepath.Join(dir, learner), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range k.files(i) {
				write(t, filepath.Join(dir, learner, name), []byte(text))
			}
		}
	}
	return class
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// gradeClass grades the submissions in a folder, with two workers unless change says otherwise.
func gradeClass(t testing.TB, dir, out string, change func(*grade.Options)) *grade.Grading {
	t.Helper()
	list, err := submission.List(t.Context(), ".", []string{dir}, false)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := grade.Options{
		Submissions: list, Scenarios: []string{played}, Key: grade.Key("a secret of the instructor"), Seeds: 1,
		Date: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Out: out, Workers: 2,
		Player: run.InProcess{Cluster: sim.Cluster{Version: "test"}}, CPUSeconds: 60, Timeout: 10 * time.Minute,
		Worker: grade.Program{Path: self, Args: []string{self, workerArgument}},
	}
	if change != nil {
		change(&o)
	}
	g, err := grade.Grade(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Write(out); err != nil {
		t.Fatal(err)
	}
	return g
}

// long reports whether the whole class is to be graded.
func long() bool { return os.Getenv("COALMINE_LONG") != "" }

// A class of all kinds gets what it deserves, and the same bytes with any number of workers. The long
// form has sixty submissions.
func TestClass(t *testing.T) {
	dir := t.TempDir()
	class := handIn(t, dir, long())
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	g := gradeClass(t, dir, first, nil)
	if len(g.Learners) != len(class) {
		t.Fatalf("%d learners, want %d", len(g.Learners), len(class))
	}
	for _, l := range g.Learners {
		k := class[l.Learner]
		if l.Status != k.status || l.Points < k.least || l.Points > k.most || !strings.Contains(l.Reason(), k.says) {
			t.Errorf("%s is %s with %d points: %s", l.Learner, l.Status, l.Points, l.Reason())
		}
	}
	gradeClass(t, dir, second, func(o *grade.Options) { o.Workers = 1 })
	compare(t, first, second)
}

// compare compares two folders byte by byte.
func compare(t *testing.T, a, b string) {
	t.Helper()
	var files [2]map[string]string
	for i, dir := range []string{a, b} {
		files[i] = map[string]string{}
		err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			files[i][strings.TrimPrefix(name, dir)] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files[0]) != len(files[1]) || len(files[0]) == 0 {
		t.Errorf("%d and %d files", len(files[0]), len(files[1]))
	}
	for name, text := range files[0] {
		if files[1][name] != text {
			t.Errorf("%s differs", name)
		}
	}
}
