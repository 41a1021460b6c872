package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"coalmine/loadgen/attack"
)

// TestRedirects follows redirects on the target's host only, as browsers do.
func TestRedirects(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		most   int
		// answers are by path: a status, and where it leads.
		answers map[string]string
		// want is what the server gets for one attempt; status is that of the attempt.
		want   string
		status uint16
	}{
		"none by default": {"GET", 0, map[string]string{"/": "302 /a"}, "GET /", 302},
		"two": {"GET", 5, map[string]string{"/": "302 /a", "/a": "301 b?x=1"},
			"GET /, GET /a, GET /b", 200},
		"no more than that": {"GET", 2, map[string]string{"/": "302 /"}, "GET /, GET /, GET /", 302},
		"a form":            {"POST", 5, map[string]string{"/": "303 /done"}, "POST / 19, GET /done", 200},
		"the same method":   {"POST", 5, map[string]string{"/": "307 /again"}, "POST / 19, POST /again 19", 200},
		"another host":      {"GET", 5, map[string]string{"/": "302 http://shop.invalid/"}, "GET /", 302},
		"no place":          {"GET", 5, map[string]string{"/": "302 "}, "GET /", 302},
		"a broken place":    {"GET", 5, map[string]string{"/": "302 http://[::1"}, "GET /", 302},
		"not modified":      {"GET", 5, map[string]string{"/": "304 /a"}, "GET /", 304},
	} {
		t.Run(name, func(t *testing.T) {
			leakFree(t)
			var mu sync.Mutex
			got := map[string][]string{} // by user and number of the attempt
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				line := r.Method + " " + r.URL.Path
				if r.ContentLength > 0 {
					line += " " + fmt.Sprint(r.ContentLength)
				}
				id := r.Header.Get("Coalmine-Request")
				got[id] = append(got[id], line)
				if to, ok := c.answers[r.URL.Path]; ok {
					status := 0
					fmt.Sscan(to, &status)
					if _, place, _ := strings.Cut(to, " "); place != "" {
						w.Header().Set("Location", place)
					}
					w.WriteHeader(status)
				}
			})
			p := newPlan(t, one(40, c.method), time.Second)
			outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Redirects: c.most})
			for _, o := range outcomes {
				if o.Status != c.status {
					t.Fatalf("status %d (%s), want %d", o.Status, o.Detail, c.status)
				}
			}
			if len(got) == 0 || len(got) != len(outcomes) {
				t.Fatalf("%d attempts reached the server, %d were made", len(got), len(outcomes))
			}
			for _, lines := range got {
				if strings.Join(lines, ", ") != c.want {
					t.Fatalf("the server got %q, want %q", strings.Join(lines, ", "), c.want)
				}
			}
		})
	}
}
