package loadtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/lab/loadtest"
	"coalmine/lab/verdict/objective"
)

// caseFile returns the path of a log that is easily misread.
func caseFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../loadgen/accesslog/testdata/cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPlansOfLogs checks what is sent for logs; how their lines are read is tested in accesslog.
func TestPlansOfLogs(t *testing.T) {
	for log, want := range map[string][]string{
		"three-agents.log": {"/a Mozilla/5.0 Firefox/1 https://r.example/1",
			"/a Mozilla/5.0 Firefox/1 https://r.example/2", "/a Mozilla/5.0 Safari/9 https://r.example/3"},
		"long-path.log":           {"/a x ", "other x "},
		"first-line-combined.log": {"/a x ", "/a  ", "/a  ", "/a  "},
	} {
		o := options(t)
		o.Plan.Rate, o.Plan.Duration, o.Plan.Replay = 0, 0, caseFile(t, log)
		var plan bytes.Buffer
		if err := newTest(t, "", o).WritePlan(t.Context(), &plan); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(plan.String()) {
			var p struct {
				Route  string
				Header http.Header
			}
			if err := json.Unmarshal([]byte(line), &p); err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Route+" "+p.Header.Get("User-Agent")+" "+p.Header.Get("Referer"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", log, got, want)
		}
	}
}

// TestSlowServersAreNotQueuedFor has a server that answers when all requests are in: a generator
// that waits for responses before it sends more never gets one.
func TestSlowServersAreNotQueuedFor(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		plan   loadtest.PlanOptions
	}{
		"a constant rate": {"testdata/slow-server.yaml", loadtest.PlanOptions{Duration: 2 * time.Second}},
		// A request a second, and 300 in one of the 29 seconds.
		"a burst of a log": {"", loadtest.PlanOptions{Replay: "testdata/replay-burst.log", Speed: 20}},
		// Users who come in sessions come at the same time.
		"sessions": {"browse", loadtest.PlanOptions{Duration: 2 * time.Second, Rate: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Dir, o.Plan, o.Objectives = ".", c.plan, []string{"errors<=0%"}
			sendToAWaitingServer(t, c.source, o)
		})
	}
}

// sendToAWaitingServer runs a test against a server that answers when it has all requests.
func sendToAWaitingServer(t *testing.T, source string, o loadtest.Options) {
	t.Helper()
	planned, arrivals := int64(0), newTest(t, source, o).Plan().Arrivals()
	for _, more := arrivals.Next(); more; _, more = arrivals.Next() {
		planned++
	}
	var inside atomic.Int64
	all := make(chan struct{})
	release := sync.OnceFunc(func() { close(all) })
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if inside.Add(1) == planned {
			release()
		}
		select {
		case <-all:
		case <-r.Context().Done():
			release() // the test has failed
		}
	}))
	defer web.Close()
	o.Target.URLs, o.Target.Timeout = []string{web.URL}, 10*time.Second
	r, err := newTest(t, source, o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	if sum := r.Results.Sum(nil); sum.Requests != planned || len(sum.Failures) > 0 || planned < 100 ||
		r.Results.Run.Peak != planned || objective.Worst(r.Verdicts) == objective.Violated {
		t.Errorf("%d requests of %d, failures %v, at most %d in flight; %v", sum.Requests, planned, sum.Failures,
			r.Results.Run.Peak, r.Verdicts)
	}
}
