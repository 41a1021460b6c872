package loadgen_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// noon returns the time of the first line plus d.
func noon(d time.Duration) time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).Add(d) }

// recorded returns a workload that replays a log.
func recorded(lines ...accesslog.Line) loadgen.Workload {
	for i := range lines {
		lines[i].Number = i + 1
		if lines[i].Method == "" {
			lines[i].Method = "GET"
		}
	}
	return loadgen.Workload{
		Routes: []loadgen.Route{{Name: "home", Path: "/"}, {Name: "item", Path: "/items/{item}"},
			{Name: "files", Path: "/files/*"}},
		Cohorts: []loadgen.Cohort{
			{Name: "bots", Match: &loadgen.LogMatch{UserAgent: "[Bb]ot"}},
			{Name: "staff", Match: &loadgen.LogMatch{User: "^(ada|bob)$", Path: "^/admin"},
				Headers: []loadgen.Pair{{Name: "X-Staff", Value: "1"}}},
			{Name: "linked", Match: &loadgen.LogMatch{Referer: "//search[.]test/"}},
		},
		Replay: &loadgen.Replay{Log: "access.log", Lines: lines},
	}
}

func TestReplayTakesAllFromTheLog(t *testing.T) {
	w := recorded(
		accesslog.Line{At: noon(0), Target: "/", Client: "c1"},
		accesslog.Line{At: noon(3 * time.Second), Target: "/items/blue?q=1", Client: "c2", UserAgent: "bot/1"},
		accesslog.Line{At: noon(time.Second), Target: "/admin/x", Client: "c1", User: "ada", Method: "POST"},
		accesslog.Line{At: noon(5 * time.Second), Target: "/files/a", Client: "c1"},
		accesslog.Line{At: noon(4 * time.Second), Target: "/", Client: "c2", UserAgent: "Robot", User: "ada"},
		accesslog.Line{At: noon(6 * time.Second), Target: "/", Referer: "https://search.test/?q=/"},
		accesslog.Line{At: noon(7 * time.Second), Target: "/?/admin", Client: "c1", User: "ada"},
	)
	p := newPlan(t, w, 1, time.Minute)
	want := []string{
		"0s line 1: GET / by other, user 4, route home", "1s line 3: POST /admin/x by staff, user 2, route other",
		"3s line 2: GET /items/blue?q=1 by bots, user 0, route item", "4s line 5: GET / by bots, user 1, route home",
		"5s line 4: GET /files/a by other, user 4, route files", "6s line 6: GET / by linked, user 3, route home",
		"7s line 7: GET /?/admin by other, user 5, route home",
	}
	for i, a := range arrivals(p) {
		got := fmt.Sprintf("%v line %d: %s %s by %s, user %d, route %s", a.At, a.Item, p.Method(a), p.Target(a),
			p.Cohorts()[a.Cohort].Name,
			a.User, p.Routes()[a.Route].Name)
		if got != want[i] || a.Seq != uint64(i) || a.Session != 0 {
			t.Errorf("%s, want %s", got, want[i])
		}
	}
	if p.Expected() != 7 || newPlan(t, w, 1, 5*time.Second).Expected() != 4 || w.Replay.Length() != 8*time.Second {
		t.Errorf("%g arrivals in %v", p.Expected(), w.Replay.Length())
	}
	if len(w.Cohorts) != 3 || len(w.Routes) != 3 || len(p.Workload().Cohorts) != 4 || len(p.Workload().Routes) != 4 {
		t.Error("the plan adds to the workload that it was made from")
	}
	if first, count := p.Users(3); first != 4 || count != 2 || p.Header(1, 2, "X-Staff") != "1" ||
		p.Header(3, 4, "X-Staff") != "" {
		t.Errorf("other has %d users from %d", count, first)
	}
}

// TestReplaySendsAgentsAndReferers checks that users send the agents of their lines, unless their
// cohort has one, and that values which cannot be sent are left out.
func TestReplaySendsAgentsAndReferers(t *testing.T) {
	w := recorded(
		accesslog.Line{At: noon(0), Target: "/", Client: "c1", UserAgent: "Firefox/1", Referer: "https://a.test/"},
		accesslog.Line{At: noon(1), Target: "/", Client: "c1", UserAgent: "Chrome/2", Referer: "-"},
		accesslog.Line{At: noon(2), Target: "/", Client: "c2", UserAgent: "bot/3"},
		accesslog.Line{At: noon(3), Target: "/", Client: "c3", UserAgent: "bad\r\nX: 1", Referer: "x\ny"},
		accesslog.Line{At: noon(4), Target: "/", Client: "c4"},
		accesslog.Line{At: noon(5), Target: "/", Client: "c1", UserAgent: "Firefox/1"},
	)
	w.Cohorts[0].Headers = []loadgen.Pair{{Name: "user-agent", Value: "our-bot"}}
	p := newPlan(t, w, 1, time.Minute)
	var got []string
	for _, a := range arrivals(p) {
		got = append(got, p.Header(a.Cohort, a.User, "User-Agent")+"|"+p.Referer(a))
	}
	want := []string{"Firefox/1|https://a.test/", "Chrome/2|", "our-bot|", "|", "|", "Firefox/1|"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if p.PerUser(0) || !p.PerUser(3) {
		t.Error("PerUser is wrong")
	}
}

func TestReplayAddsOnlyWhatItNeeds(t *testing.T) {
	w := recorded(accesslog.Line{At: noon(0), Target: "/"})
	w.Cohorts = append(w.Cohorts, loadgen.Cohort{Name: "all"})
	p := newPlan(t, w, 1, time.Minute)
	if len(p.Cohorts()) != 4 || len(p.Routes()) != 3 || arrivals(p)[0].Cohort != 3 {
		t.Errorf("%d cohorts, %d routes", len(p.Cohorts()), len(p.Routes()))
	}
}

func TestWholeSecondsAreSpread(t *testing.T) {
	line := func(d time.Duration) accesslog.Line { return accesslog.Line{At: noon(d), Target: "/"} }
	at := func(w loadgen.Workload) (list []time.Duration) {
		for _, a := range arrivals(newPlan(t, w, 1, time.Minute)) {
			list = append(list, a.At/time.Millisecond)
		}
		return list
	}
	w := recorded(line(0), line(0), line(2*time.Second), line(0), line(0), line(2*time.Second), line(3*time.Second))
	for speed, want := range map[float64][]time.Duration{
		0: {0, 250, 500, 750, 2000, 2500, 3000}, 2: {0, 125, 250, 375, 1000, 1250, 1500},
		0.5: {0, 500, 1000, 1500, 4000, 5000, 6000},
	} {
		w.Replay.Speed = speed
		if got := at(w); !slices.Equal(got, want) {
			t.Errorf("speed %g: %v, want %v", speed, got, want)
		}
	}
	old := recorded(accesslog.Line{Target: "/"}, line(0), line(0)) // two thousand years earlier
	if p := newPlan(t, old, 1, 1<<62); p.Expected() != 1 || old.Replay.Length() < 1<<62 {
		t.Errorf("%g lines of an endless log of %v", p.Expected(), old.Replay.Length())
	}
	fine := recorded(line(0), line(0), line(1500*time.Millisecond), line(2*time.Second), line(2*time.Second))
	if got, want := at(fine), []time.Duration{0, 0, 1500, 2000, 2000}; !slices.Equal(got, want) {
		t.Errorf("a log with fractions: %v, want %v", got, want)
	}
}

func TestReplayRejectsInvalidLogs(t *testing.T) {
	w := recorded()
	w.Replay.Lines = nil
	if err := w.Validate(); err != nil {
		t.Errorf("a workload whose log was not read yet: %v", err)
	}
	bad := recorded(accesslog.Line{At: noon(0), Target: "*", Method: "OPTIONS"})
	for want, w := range map[string]loadgen.Workload{
		`log "access.log" was not read`: w, `line 1 of the log "access.log" has method "OPTIONS" and path "*"`: bad,
	} {
		if _, err := loadgen.NewPlan(w, 1, time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	w.Replay.Lines = []accesslog.Line{}
	if _, err := loadgen.NewPlan(w, 1, time.Second); err == nil || !strings.Contains(err.Error(), "has no requests") {
		t.Errorf("an empty log: %v", err)
	}
}

// TestReplaysAreWellFormed plays random logs: all lines are in order, users are in their ranges,
// and a shorter plan is a prefix.
func TestReplaysAreWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(what string, list ...string) string { return rapid.SampledFrom(list).Draw(t, what) }
		unit := rapid.SampledFrom([]time.Duration{time.Second, time.Millisecond, 1, 1 << 40}).Draw(t, "unit")
		lines := make([]accesslog.Line, rapid.IntRange(1, 40).Draw(t, "lines"))
		for i := range lines {
			lines[i] = accesslog.Line{
				At:     noon(unit * time.Duration(rapid.IntRange(-20, 20).Draw(t, "at"))),
				Target: pick("target", "/", "/items/1", "/files/x", "/admin", "/y"),
				Client: pick("client", "a", "b"), User: pick("user", "", "ada"), UserAgent: pick("agent", "bot", "x"),
			}
		}
		w := recorded(lines...)
		w.Replay.Speed = rapid.SampledFrom([]float64{0, 1, 3, 0.1}).Draw(t, "speed")
		whole, err := loadgen.NewPlan(w, 1, 1<<62)
		if err != nil {
			t.Fatal(err)
		}
		list, last := arrivals(whole), time.Duration(0)
		if len(list) != len(lines) || list[0].At != 0 || list[len(list)-1].At >= w.Replay.Length() {
			t.Fatalf("%d arrivals of %d lines, in %v", len(list), len(lines), w.Replay.Length())
		}
		seen := map[uint32]bool{}
		for i, a := range list {
			first, count := whole.Users(int(a.Cohort))
			if a.At < last || a.User < first || a.User-first >= count || whole.Target(a) != lines[a.Item-1].Target ||
				a.Seq != uint64(i) {
				t.Fatalf("%+v after %v; users from %d, %d of them", a, last, first, count)
			}
			if i > 0 && lines[a.Item-1].At.Before(lines[list[i-1].Item-1].At) {
				t.Fatalf("line %d comes after line %d", a.Item, list[i-1].Item)
			}
			seen[a.User] = true
			last = a.At
		}
		if n, m := whole.Users(len(whole.Cohorts()) - 1); len(seen) != int(n+m) {
			t.Fatalf("%d users of %d", len(seen), n+m)
		}
		short, err := loadgen.NewPlan(w, 1, last)
		if err != nil {
			t.Fatal(err)
		}
		if begin := arrivals(short); !slices.Equal(begin, list[:len(begin)]) || len(begin) != int(short.Expected()) {
			t.Fatalf("%d arrivals before %v are not a prefix", len(begin), last)
		}
	})
}
