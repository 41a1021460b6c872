package scenario

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/loadgen"
)

// visits is the smallest valid workload.
const visits = `apiVersion: coalmine.dev/v1alpha1
kind: Workload
metadata: {name: visits}
spec:
  rate: {constant: 10}
  routes: [{name: home, path: /}]
  cohorts:
    - name: users
      share: 1
      mix: {home: 1}
  objectives: [{route: home, success: 99}]
`

// replayed is the smallest workload that replays a log.
const replayed = `apiVersion: coalmine.dev/v1alpha1
kind: Workload
metadata: {name: replayed}
spec:
  replay: {log: logs/access.log, speed: 2}
  routes: [{name: home, path: /}]
  cohorts: [{name: users}]
  objectives: [{route: other, success: 99}]
`

// accessLog has three valid lines and a broken one.
const accessLog = `192.0.2.1 - - [07/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5
192.0.2.2 - - [07/Mar/2026:12:00:03 +0000] "GET /away HTTP/1.1" 200 5
broken
192.0.2.1 - - [07/Mar/2026:12:00:04 +0000] "GET / HTTP/1.1" 200 5
`

// workloadFile writes a workload and its log to a temporary folder.
func workloadFile(t *testing.T, text, log string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "my.yaml")
	write(t, name, []byte(text))
	if log != "" {
		write(t, filepath.Join(filepath.Dir(name), "logs", "access.log"), []byte(log))
	}
	return name
}

// planned plans a workload for five minutes and returns the number of requests by cohort and route.
func planned(t *testing.T, w loadgen.Workload) map[string]int {
	t.Helper()
	p, err := loadgen.NewPlan(w, 7, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	arrivals := p.Arrivals()
	for a, ok := arrivals.Next(); ok; a, ok = arrivals.Next() {
		counts[p.Cohorts()[a.Cohort].Name+" "+p.Routes()[a.Route].Name]++
	}
	return counts
}

func TestLibraryWorkloads(t *testing.T) {
	if want := []string{"browse", "flash-sale", "replay"}; !slices.Equal(WorkloadNames(), want) {
		t.Errorf("the workloads are %v, want %v", WorkloadNames(), want)
	}
	for _, name := range WorkloadNames() {
		w, err := NamedWorkload(name)
		if err != nil {
			t.Fatal(err)
		}
		if w.Name != name || w.Summary == "" || len(w.Objectives) == 0 {
			t.Errorf("%s: the name is %q, the summary %q, and there are %d objectives",
				name, w.Name, w.Summary, len(w.Objectives))
		}
		counts := planned(t, w.Traffic)
		sum := 0
		for _, c := range w.Traffic.Cohorts {
			here := 0
			for _, r := range w.Traffic.Routes {
				here += counts[c.Name+" "+r.Name]
			}
			if here == 0 {
				t.Errorf("%s: cohort %s sends nothing", name, c.Name)
			}
			sum += here
		}
		if name != "replay" && sum < 5*60*20 {
			t.Errorf("%s: %d requests in five minutes", name, sum)
		}
	}
}

func TestReplayWorkload(t *testing.T) {
	w, err := NamedWorkload("replay")
	if err != nil {
		t.Fatal(err)
	}
	if w.Broken.Count != 3 || len(w.Traffic.Replay.Lines) != 267 {
		t.Errorf("%d lines and %d broken ones, want 267 and 3", len(w.Traffic.Replay.Lines), w.Broken.Count)
	}
	sum := 0
	for what, n := range planned(t, w.Traffic) {
		sum += n
		if strings.HasSuffix(what, " other") != (what == "bots other") {
			t.Errorf("%d requests are %s; only the monitor's have no route", n, what)
		}
	}
	if sum != 267 {
		t.Errorf("%d requests are planned", sum)
	}
}

func TestUnknownWorkload(t *testing.T) {
	for _, name := range []string{"", ".", "browse.yaml", "../library", "Browse", "rush"} {
		if _, err := NamedWorkload(name); !errors.Is(err, fs.ErrNotExist) ||
			!strings.Contains(err.Error(), "browse, flash-sale, replay") {
			t.Errorf("%q: error %v, want fs.ErrNotExist and the known names", name, err)
		}
	}
}

func TestOpenWorkload(t *testing.T) {
	w, err := OpenWorkload(t.Context(), workloadFile(t, visits, ""))
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "visits" || w.Traffic.Rate.Constant != 10 || len(w.Objectives) != 1 {
		t.Errorf("the workload is %+v", w)
	}
	w, err = OpenWorkload(t.Context(), workloadFile(t, replayed, accessLog))
	if err != nil {
		t.Fatal(err)
	}
	if w.Broken.Count != 1 || w.Broken.First[0].Number != 3 {
		t.Errorf("the broken lines are %+v", w.Broken)
	}
	want := map[string]int{"users home": 2, "users other": 1}
	if diff := cmp.Diff(want, planned(t, w.Traffic)); diff != "" {
		t.Errorf("the plan differs (-want +got):\n%s", diff)
	}
}

// A user's log may be next to the workload, at an absolute path, or behind a link.
func TestWorkloadLogPaths(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.log.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(accessLog)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, elsewhere, packed.Bytes())
	file := workloadFile(t, replayed, "")
	up, err := filepath.Rel(filepath.Dir(file), elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(file), "link.log")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Skip(err)
	}
	for _, log := range []string{elsewhere, up, "link.log", "./link.log"} {
		write(t, file, []byte(strings.Replace(replayed, "logs/access.log", log, 1)))
		if w, err := OpenWorkload(t.Context(), file); err != nil || len(w.Traffic.Replay.Lines) != 3 {
			t.Errorf("log %s: error %v", log, err)
		}
	}
}

// Each test breaks one thing. Each finding says where it is and how to fix it.
func TestWorkloadFindings(t *testing.T) {
	for _, test := range []struct{ text, old, new, want string }{
		{visits, visits, "", "my.yaml:1: the file is empty: write a workload, or copy one"},
		{visits, visits, "# nothing\n", "my.yaml:1: the file is empty"},
		{visits, visits, "- a\n", "my.yaml:1: cannot unmarshal !!seq"},
		{visits, visits, strings.ReplaceAll(minimal, "kind: Scenario", "kind: Scenario"),
			`my.yaml:1: the document has apiVersion "coalmine.dev/v1alpha1" and kind "Scenario": name its folder to run its traffic, or write kind: Workload`},
		{visits, "kind: Workload", "kind: Traffic",
			`and kind "Traffic": write apiVersion: coalmine.dev/v1alpha1 and kind: Workload`},
		{visits, "/v1alpha1", "/v2",
			`my.yaml:1: the document has apiVersion "coalmine.dev/v2" and kind "Workload": write apiVersion`},
		{visits, "kind: Workload\n", "", `and kind "": write apiVersion`},
		{visits, "success: 99}]\n", "success: 99}]\n---\nkind: Workload\n",
			"my.yaml:12: a second document starts here: a file holds one workload"},
		{visits, "  rate:", "  rates:", "my.yaml:5: WorkloadSpec has no field rates: see " +
			"scenarios/workload.schema.json"},
		{visits, "share: 1", "shares: 1", "my.yaml:9: Cohort has no field shares"},
		{visits, "name: visits", "name: My visits",
			`my.yaml:3: metadata.name: "My visits" is not a valid Kubernetes name`},
		{visits, "constant: 10", "constant: -1", "my.yaml:5: spec.rate.constant: -1 requests per second is " +
			"not between"},
		{visits, "constant: 10", "constant: 0", "spec.rate: is empty or"},
		{visits, "  rate: {constant: 10}\n", "", "my.yaml:4: spec.rate: is empty or"},
		{visits, "share: 1", "share: 1.5", "my.yaml:9: spec.cohorts[0].share: 1.5 is not between 0 and 1"},
		{visits, "share: 1", "share: 0.5", "my.yaml:7: spec.cohorts: shares sum to 0.5"},
		{visits, "mix: {home: 1}", "mix: {hom: 1}", `my.yaml:10: spec.cohorts[0].mix: route "hom" is not in routes`},
		{visits, "mix: {home: 1}", "mix: {home: -1}", "my.yaml:10: spec.cohorts[0].mix: weight -1"},
		{visits, "mix: {home: 1}", "session: {length: 2, think: {constant: 1s}, start: {home: 1}, next: {home: " +
			"{hom: 1}}}",
			`my.yaml:10: spec.cohorts[0].session.next.home: route "hom" is not in routes`},
		{visits, "route: home", "route: hom",
			`my.yaml:11: spec.objectives[0].route: there is no route "hom": write one of home`},
		{visits, "route: home", "route: other", `spec.objectives[0].route: there is no route "other"`},
		{visits, "success: 99", "success: 0", "my.yaml:11: spec.objectives[0].success: is 0"},
		{replayed, "log: logs/access.log", "log: logs/acess.log",
			`my.yaml:5: spec.replay.log: there is no file "logs/acess.log": name an access log, relative to this file`},
		{replayed, "log: logs/access.log", "log: logs", "my.yaml:5: spec.replay.log: logs cannot be read: "},
		{replayed, "log: logs/access.log", "log: my.yaml", "my.yaml:5: spec.replay.log: my.yaml: no line of the log " +
			"can be parsed; line 1: is not in a known format"},
		{replayed, "log: logs/access.log", "log: logs/access.log, format: json",
			"my.yaml:5: spec.replay.log: logs/access.log: no line of the log can be parsed; line 1: is not a " +
				"JSON object"},
		{replayed, "log: logs/access.log", "log: logs/access.log, format: clf",
			`my.yaml:5: spec.replay.format: "clf" is not one of common`},
		{replayed, "speed: 2", "speed: -2", "my.yaml:5: spec.replay.speed: -2 is not between"},
		{replayed, "{name: users}", "{name: users, share: 1}",
			"my.yaml:7: spec.cohorts[0].share: cannot be combined with replay"},
		{replayed, "{name: users}", `{name: users, match: {path: "("}}`,
			"my.yaml:7: spec.cohorts[0].match.path: missing closing )"},
	} {
		if !strings.Contains(test.text, test.old) {
			t.Fatalf("%q is not in the workload", test.old)
		}
		name := workloadFile(t, strings.Replace(test.text, test.old, test.new, 1), accessLog)
		w, err := OpenWorkload(t.Context(), name)
		var problems Problems
		if !errors.As(err, &problems) || w != nil {
			t.Errorf("%q: workload %v, error %v, want problems", test.new, w, err)
			continue
		}
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), test.want) }) {
			t.Errorf("%q: no problem contains %q:\n%v", test.new, test.want, err)
		}
		for _, p := range problems {
			if p.File != name {
				t.Errorf("%q: the problem's file is %s, want %s", test.new, p.File, name)
			}
		}
	}
}

func TestOpenWorkloadErrors(t *testing.T) {
	if _, err := OpenWorkload(t.Context(), filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: error %v", err)
	}
	name := workloadFile(t, strings.Repeat(accessLog, 10_000), "")
	if _, err := OpenWorkload(t.Context(), name); err == nil || !strings.Contains(err.Error(),
		"is over 1024 KiB: a workload names its access log") {
		t.Errorf("a log instead of a workload: error %v", err)
	}
	if _, _, err := parseWorkload("my.yaml", []byte(replayed)); err != nil {
		t.Errorf("without its log: error %v", err)
	}
}

func FuzzParseWorkload(f *testing.F) {
	f.Add([]byte(visits))
	f.Add([]byte(replayed))
	f.Add([]byte("apiVersion: coalmine.dev/v1alpha1\nkind: Workload\nspec: {cohorts: [~], replay: ~}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, _, err := parseWorkload("my.yaml", data)
		if (w == nil) == (err == nil) {
			t.Errorf("workload %v with error %v", w, err)
		}
		var problems Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Errorf("error of type %T: %v", err, err)
		}
	})
}

func lineOf(second int, method, target, agent string) string {
	return fmt.Sprintf("192.0.2.%d - - [07/Mar/2026:12:00:%02d +0000] \"%s %s HTTP/1.1\" 200 5 \"-\" %q\n", second,
		second, method, target, agent)
}

// A path that is too long for a route's name belongs to the route "other".
func TestLongPathInLog(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	long := "/" + strings.Repeat("a", 1500)
	write(t, name, []byte(lineOf(1, "GET", "/a", "x")+lineOf(2, "GET", long, "x")))
	w, err := WorkloadFromLog(t.Context(), name, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"web /a": 1, "web other": 1}, planned(t, w.Traffic)); diff != "" {
		t.Errorf("the plan differs (-want +got):\n%s", diff)
	}
}

func TestWorkloadFromLog(t *testing.T) {
	const desktop, phone, bot = "Mozilla/5.0 (X11)", "Mozilla/5.0 (Android) Mobile",
		"Mozilla/5.0 (Android) Mobile (compatible; somebot/2)"
	var log strings.Builder
	for i, line := range [][3]string{
		{"GET", "/items?page=1", desktop}, {"GET", "/items", desktop}, {"HEAD", "/items", bot},
		{"POST", "/items", phone},
		{"GET", "/items/1", desktop}, {"GET", "/items/22?x", phone},
		{"GET", "/items/0B5C1A52-52a4-4b9c-a3b1-0d3c2d1e4f5a", phone},
		{"GET", "/items/65f0c2a9e4b0a1b2c3d4e5f6/photo", "-"}, {"GET", "/u/1/orders/2", "Mozilla/5.0 (Mac)"},
		{"GET", "/u/3/orders/4", desktop},
		{"GET", "/u/5/baskets/6", desktop}, {"GET", "/face", bot}, {"GET", "/%7B/a{b", desktop},
		{"GET", "/all*", desktop}, {"GET", `/\xC3\xA4`, desktop},
	} {
		log.WriteString(lineOf(i, line[0], line[1], line[2]))
	}
	name := filepath.Join(t.TempDir(), "Shop_access.log.1")
	write(t, name, []byte(log.String()+"broken\n"))
	w, err := WorkloadFromLog(t.Context(), name, "", 4)
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "shop-access" || w.Broken.Count != 1 || w.Traffic.Replay.Speed != 4 ||
		w.Traffic.Replay.Format != "combined" {
		t.Errorf("the workload is %q at speed %v with %d broken lines", w.Name, w.Traffic.Replay.Speed, w.Broken.Count)
	}
	want := []loadgen.Route{
		{Name: "/items", Path: "/items"}, {Name: "/items/{item}", Path: "/items/{item}"}, {Name: "/u/*", Path: "/u/*"},
		{Name: "/face", Path: "/face"}, {Name: "POST /items", Method: "POST", Path: "/items"},
		{Name: "/items/{item}/photo", Path: "/items/{item}/photo"},
	}
	if diff := cmp.Diff(want, w.Traffic.Routes); diff != "" {
		t.Errorf("the routes differ (-want +got):\n%s", diff)
	}
	var cohorts []string
	for _, c := range w.Traffic.Cohorts {
		cohorts = append(cohorts, c.Name)
	}
	if diff := cmp.Diff([]string{"bots", "mobile", "web"}, cohorts); diff != "" {
		t.Errorf("the cohorts differ (-want +got):\n%s", diff)
	}
	counts := map[string]int{
		"web /items": 2, "bots /items": 1, "mobile POST /items": 1, "web /items/{item}": 1, "mobile /items/{item}": 2,
		"web /items/{item}/photo": 1, "web /u/*": 3, "bots /face": 1, "web other": 3,
	}
	if diff := cmp.Diff(counts, planned(t, w.Traffic)); diff != "" {
		t.Errorf("the plan differs (-want +got):\n%s", diff)
	}
}

func TestWorkloadFromLogLimits(t *testing.T) {
	var log strings.Builder
	for i := range 60 {
		for range 60 - i {
			log.WriteString(lineOf(i, "GET", "/page-"+strings.Repeat("x", i+1), "-"))
		}
	}
	name := filepath.Join(t.TempDir(), "9.log")
	write(t, name, []byte(log.String()))
	w, err := WorkloadFromLog(t.Context(), name, "common", 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(w.Traffic.Routes); n != 50 || w.Traffic.Routes[0].Name != "/page-x" || w.Name != "access-log" {
		t.Errorf("%d routes, the first of them %s; the name is %q", n, w.Traffic.Routes[0].Name, w.Name)
	}
	if len(w.Traffic.Cohorts) != 1 || w.Traffic.Cohorts[0].Name != "web" || w.Traffic.Cohorts[0].Headers != nil {
		t.Errorf("the cohorts of a log without user agents are %+v", w.Traffic.Cohorts)
	}
	if other := planned(t, w.Traffic)["web other"]; other != 10*11/2 {
		t.Errorf("%d requests have no route, want 55", other)
	}
}

func TestWorkloadFromLogErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good.log"), []byte(accessLog))
	write(t, filepath.Join(dir, "bad.log"), []byte("broken\n"))
	for _, test := range []struct {
		file, format string
		speed        float64
		want         string
	}{
		{"bad.log", "", 1, "bad.log: no line of the log can be parsed; line 1: "},
		{"good.log", "json", 1, "good.log: no line of the log can be parsed"},
		{"good.log", "clf", 1, `good.log: unknown log format "clf"`},
		{"good.log", "", -1, "good.log: replay.speed: -1 is not between"},
	} {
		_, err := WorkloadFromLog(t.Context(), filepath.Join(dir, test.file), test.format, test.speed)
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s as %q at %v: error %v, want %q", test.file, test.format, test.speed, err, test.want)
		}
	}
	if _, err := WorkloadFromLog(t.Context(), dir, "", 1); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder as log: error %v", err)
	}
	if _, err := WorkloadFromLog(t.Context(), filepath.Join(dir, "none.log"), "", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing log: error %v", err)
	}
}
