package attack_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/traceheader"
)

// fate decides how the test server answers the request of an arrival.
func fate(seq uint64) (status int, version string, hit bool) {
	switch {
	case seq%13 == 0:
		return 500, "v2", true
	case seq%7 == 0:
		return 404, "v1", false
	case seq%3 == 0:
		return 200, "v2", seq%2 == 0
	}
	return 200, "v1", false
}

// echo responds depending on the request's place in the plan.
func echo(w http.ResponseWriter, r *http.Request) {
	m, ok := traceheader.Parse(r.Header.Get(traceheader.RequestHeader))
	if !ok {
		http.Error(w, "no request header", http.StatusBadRequest)
		return
	}
	status, version, hit := fate(m.Seq)
	w.Header().Set(traceheader.ServedHeader, "frontend=v9, backend="+version)
	if hit {
		w.Header().Set(traceheader.FaultHeader, "backend/broken")
		w.Header().Set(traceheader.WrongHeader, "1")
	}
	w.WriteHeader(status)
	fmt.Fprint(w, strings.Repeat("x", int(m.Seq%50)))
}

// counts is what a test compares for one cohort, route and version.
type counts struct {
	cohort, route   uint16
	version         string
	requests        uint64
	failed, hit     uint64
	refused, wrongs uint64
}

func TestOutcomesAreThoseOfThePlan(t *testing.T) {
	leakFree(t)
	p := newPlan(t, shop(400), length)
	var expected []loadgen.Outcome
	for _, a := range arrivals(p, loadgen.Shard{}) {
		status, version, hit := fate(a.Seq)
		expected = append(expected, loadgen.Outcome{Arrival: a, Status: uint16(status), Version: version, Hit: hit,
			Wrong: hit})
	}
	want := count(expected)
	outcomes, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, serve(t, echo))})
	if got := count(outcomes); !cmp.Equal(got, want, cmp.AllowUnexported(counts{})) {
		t.Errorf("counts differ from the plan:\n%s", cmp.Diff(want, got, cmp.AllowUnexported(counts{})))
	}
	n := len(expected)
	if report.Arrivals != n || report.Attempts != n || report.Unsent != 0 {
		t.Errorf("report %+v of %d arrivals", report, n)
	}
}

// count returns counts ordered by cohort, route and version.
func count(outcomes []loadgen.Outcome) []counts {
	var list []counts
	for _, o := range outcomes {
		key := func(c counts) bool {
			return c.cohort == o.Arrival.Cohort && c.route == o.Arrival.Route && c.version == o.Version
		}
		at := slices.IndexFunc(list, key)
		if at < 0 {
			at, list = len(list), append(list, counts{cohort: o.Arrival.Cohort, route: o.Arrival.Route,
				version: o.Version})
		}
		c := &list[at]
		c.requests++
		c.failed += number(o.Failed())
		c.hit += number(o.Hit)
		c.refused += number(o.Status >= 400 && o.Status < 500)
		c.wrongs += number(o.Wrong)
	}
	slices.SortFunc(list, func(a, b counts) int {
		return strings.Compare(fmt.Sprint(a.cohort, a.route, a.version), fmt.Sprint(b.cohort, b.route, b.version))
	})
	return list
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// TestRequestsMatchThePlan compares every request that a server received with the plan.
func TestRequestsMatchThePlan(t *testing.T) {
	leakFree(t)
	var w witness
	bodies := make(chan string, 1000)
	base := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		s := w.see(r)
		body, _ := io.ReadAll(r.Body)
		bodies <- fmt.Sprint(s.request.Seq, " ", r.Header.Get("Content-Type"), " ", string(body))
		echo(rw, r)
	})
	p := newPlan(t, shop(200), length)
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base+"/shop/"), Service: "frontend"})
	all := arrivals(p, loadgen.Shard{})
	close(bodies)
	sent := make(map[string]bool)
	for b := range bodies {
		sent[b] = true
	}
	slices.SortFunc(w.list, func(a, b seen) int { return int(a.request.Seq) - int(b.request.Seq) })
	if len(w.list) != len(all) {
		t.Fatalf("the server saw %d requests of %d", len(w.list), len(all))
	}
	for i, a := range all {
		got := w.list[i]
		want := traceheader.Request{Seq: a.Seq, User: a.User, Cohort: p.Cohorts()[a.Cohort].Name, Seed: p.Seed()}
		if got.request != want || got.method != p.Method(a) || got.uri != "/shop"+p.Target(a) {
			t.Errorf("arrival %+v was %+v", a, got)
		}
		if got.cookie != p.Header(a.Cohort, a.User, "Cookie") {
			t.Errorf("arrival %d had cookies %q", a.Seq, got.cookie)
		}
		if agent := p.Header(a.Cohort, a.User, "User-Agent"); agent != "" && got.agent != agent {
			t.Errorf("arrival %d had the user agent %q", a.Seq, got.agent)
		}
		for _, name := range []string{"X-Vegeta-Seq", "X-Vegeta-Attack", "Accept-Encoding"} {
			if got.header.Get(name) != "" {
				t.Errorf("the header %s was sent, which is not the plan's", name)
			}
		}
		body := "  "
		if a.Route == 2 {
			body = fmt.Sprintf(` application/json {"user":%d,"item":%d}`, a.User, a.Item)
		}
		if !sent[strings.TrimRight(fmt.Sprint(a.Seq, body), " ")] && !sent[fmt.Sprint(a.Seq, body)] {
			t.Errorf("arrival %d has no body %q", a.Seq, body)
		}
	}
	for _, o := range outcomes {
		if o.Version != "v9" {
			t.Fatalf("version %q of frontend", o.Version)
		}
		if o.BytesIn != int64(o.Arrival.Seq%50) {
			t.Errorf("%d bytes counted of arrival %d", o.BytesIn, o.Arrival.Seq)
		}
	}
}

func TestEachArrivalOnceAndInOrder(t *testing.T) {
	leakFree(t)
	p := newPlan(t, shop(400), length)
	base := serve(t, echo)
	whole := arrivals(p, loadgen.Shard{})
	got := make([]int, len(whole))
	for i := range 3 {
		shard := loadgen.Shard{Index: i + 1, Count: 3}
		last := make(map[uint32]loadgen.Outcome)
		outcomes, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Shard: shard})
		if report.Arrivals != len(arrivals(p, shard)) {
			t.Errorf("shard %v: %d arrivals", shard, report.Arrivals)
		}
		ended := outcomes[0].Done()
		for _, o := range outcomes {
			got[o.Arrival.Seq]++
			if !shard.Has(o.Arrival.User) || whole[o.Arrival.Seq] != o.Arrival {
				t.Errorf("shard %v has arrival %+v", shard, o.Arrival)
			}
			if o.Done() < ended {
				t.Errorf("an end at %v was reported after one at %v", o.Done(), ended)
			}
			ended = o.Done()
			if o.Sent < o.Intended || o.Intended != o.Arrival.At || o.Latency < o.Sent-o.Intended || !o.Final ||
				o.Attempt != 0 {
				t.Errorf("odd times: %+v", o)
			}
		}
		slices.SortFunc(outcomes, func(a, b loadgen.Outcome) int { return int(a.Arrival.Seq) - int(b.Arrival.Seq) })
		for _, o := range outcomes {
			if before, ok := last[o.Arrival.User]; ok && before.Intended > o.Intended {
				t.Errorf("user %d: arrival %d was meant to go before %d", o.Arrival.User, o.Arrival.Seq,
					before.Arrival.Seq)
			}
			last[o.Arrival.User] = o
		}
	}
	for seq, n := range got {
		if n != 1 {
			t.Fatalf("arrival %d was sent %d times", seq, n)
		}
	}
}

// TestUsersKeepTheirOrder has one worker, so that requests cannot overtake each other.
func TestUsersKeepTheirOrder(t *testing.T) {
	leakFree(t)
	var w witness
	p := newPlan(t, shop(300), length)
	base := serve(t, func(rw http.ResponseWriter, r *http.Request) { w.see(r); echo(rw, r) })
	_, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Workers: 1})
	for i, s := range w.list {
		if s.request.Seq != uint64(i) {
			t.Fatalf("request %d came as number %d", s.request.Seq, i)
		}
	}
	if report.Peak != 1 {
		t.Errorf("peak %d with one worker", report.Peak)
	}
}

func TestCookiesAreReturned(t *testing.T) {
	leakFree(t)
	var w witness
	// Each response counts the user's visits in a cookie, and replaces a planned one.
	base := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		m := w.see(r).request
		http.SetCookie(rw, &http.Cookie{Name: "last", Value: fmt.Sprint(m.Seq)})
		http.SetCookie(rw, &http.Cookie{Name: "theme", Value: "light"})
		http.SetCookie(rw, &http.Cookie{Name: "lang", MaxAge: -1})
		http.SetCookie(rw, &http.Cookie{Name: "cart", Value: "x", Path: "/cart"})
	})
	shop := shop(300)
	shop.Cohorts[2].Users = 3 // return, but ignore cookies
	p := newPlan(t, shop, length)
	play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Workers: 1})
	last, again := make(map[uint32]uint64), 0
	for i, a := range arrivals(p, loadgen.Shard{}) {
		got := strings.Split(w.list[i].cookie, "; ")
		want := strings.Split(p.Header(a.Cohort, a.User, "Cookie"), "; ")
		if seq, ok := last[a.User]; ok && a.Cohort != 2 {
			again++
			want = slices.DeleteFunc(want, func(s string) bool { return s == "lang=en" || s == "" })
			if at := slices.Index(want, "theme=dark"); at >= 0 {
				want[at] = "theme=light"
			}
			if a.Route == 2 {
				want = append(want, "cart=x")
			}
			want = append(want, fmt.Sprintf("last=%d", seq))
			if a.Cohort == 1 {
				want = append(want, "theme=light")
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("request %d of user %d had the cookies %q, not %q", a.Seq, a.User, got, want)
		}
		last[a.User] = a.Seq
	}
	if again == 0 {
		t.Error("no user returned")
	}
}

func TestRetriesAreSentAndCounted(t *testing.T) {
	leakFree(t)
	w := shop(200)
	w.Cohorts[0].Retry = &loadgen.Retry{Attempts: 3, Base: 1e6, Max: 4e6, Jitter: 0.5, On: []int{500},
		Budget: &loadgen.Budget{Ratio: 100}} // enough if requests are deposited
	p := newPlan(t, w, length)
	var saw witness
	base := serve(t, func(rw http.ResponseWriter, r *http.Request) { saw.see(r); echo(rw, r) })
	outcomes, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, base)})
	attempts, finals := make(map[uint64]int), make(map[uint64]int)
	for _, o := range outcomes {
		seq := o.Arrival.Seq
		if o.Attempt != attempts[seq] {
			t.Errorf("arrival %d: attempt %d reported after %d others", seq, o.Attempt, attempts[seq])
		}
		attempts[seq]++
		finals[seq] += int(number(o.Final))
		if o.Attempt > 0 && o.Intended <= o.Arrival.At {
			t.Errorf("arrival %d: a retry was meant for %v", seq, o.Intended)
		}
	}
	total := 0
	for _, a := range arrivals(p, loadgen.Shard{}) {
		want := 1
		if status, _, _ := fate(a.Seq); status == 500 && a.Cohort == 0 {
			want = 3
		}
		total += want
		if attempts[a.Seq] != want || finals[a.Seq] != 1 {
			t.Errorf("arrival %d: %d attempts, %d of them final; %d expected", a.Seq, attempts[a.Seq],
				finals[a.Seq], want)
		}
	}
	if report.Attempts != total || len(saw.list) != total || report.Arrivals != len(attempts) {
		t.Errorf("%d attempts reported, %d seen, %d expected; %d arrivals", report.Attempts, len(saw.list), total,
			report.Arrivals)
	}
	numbers := make(map[uint64]int)
	for _, s := range saw.list {
		numbers[s.request.Seq] += s.request.Attempt
	}
	for seq, n := range attempts {
		if numbers[seq] != n*(n-1)/2 {
			t.Errorf("%d attempts at arrival %d have numbers whose sum is %d", n, seq, numbers[seq])
		}
	}
}

// TestRetriesAfterTheLastArrival would hang if waiting ended with the plan.
func TestRetriesAfterTheLastArrival(t *testing.T) {
	leakFree(t)
	w := one(400, "GET")
	w.Cohorts[0].Retry = &loadgen.Retry{Attempts: 2, Base: 50 * time.Millisecond, Max: time.Second}
	p := newPlan(t, w, 20*time.Millisecond)
	n := len(arrivals(p, loadgen.Shard{}))
	var came atomic.Int32
	all := make(chan struct{})
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if int(came.Add(1)) == n {
			close(all)
		}
		<-all
		w.WriteHeader(http.StatusBadGateway)
	})
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Workers: n})
	for i, o := range outcomes {
		if o.Attempt != i/n || o.Final != (i >= n) || o.Final && o.Latency < 50*time.Millisecond {
			t.Errorf("outcome %d of %d arrivals: %+v", i, n, o)
		}
	}
	if len(outcomes) != 2*n {
		t.Errorf("%d outcomes of %d arrivals", len(outcomes), n)
	}
}

func TestVersions(t *testing.T) {
	leakFree(t)
	for name, test := range map[string]struct {
		served, other, service, header, want string
	}{
		"last":            {served: "a=v1, b=v2", want: "v2"},
		"named":           {served: "a=v1, b=v2", service: "a", want: "v1"},
		"not there":       {served: "a=v1", service: "b", want: ""},
		"another header":  {other: "v7", header: "x-version", want: "v7"},
		"own headers win": {served: "a=v1", other: "v7", header: "x-version", want: "v1"},
		"none":            {other: "v7", want: ""},
	} {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()[traceheader.ServedHeader] = []string{test.served}
			w.Header().Set("X-Version", test.other)
		})
		p := newPlan(t, one(400, "GET"), 10*time.Millisecond)
		outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Service: test.service,
			VersionHeader: test.header})
		for _, o := range outcomes {
			if o.Version != test.want {
				t.Errorf("%s: version %q, not %q", name, o.Version, test.want)
			}
		}
	}
}
