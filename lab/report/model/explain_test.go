package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/event"
	"coalmine/lab/report/model"
	"coalmine/lab/report/reporttest"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
)

// asked writes a query of Flagger's; 0 stands for no value.
func asked(s *script.Script, metric string, value, least float64) {
	q := event.Query{Asker: script.Service, Metric: metric, PromQL: "up", Min: &least}
	if value > 0 {
		q.Value = &value
	}
	s.Add(q)
}

// declare names the metrics of the Canary in a log.
func declare(s *script.Script, metrics ...string) {
	for i, e := range s.Events() {
		if a, ok := e.Fact.(event.Applied); ok && a.ObjectKind == "Canary" {
			a.Metrics = metrics
			s.Events()[i].Fact = a
		}
	}
}

// explained lists the facts of a run with their severities and the harm that they explain.
func explained(p score.Role, s *script.Script) []string {
	t := reporttest.Trial(reporttest.Result(p, s), reporttest.Result(score.RoleUnguarded, script.Unguarded(1)))
	e := t.Explanation()
	lines := []string{e.Title}
	for _, f := range e.Facts {
		lines = append(lines, fmt.Sprintf("%s %s [%d]", f.Sign(), f.Line(), f.Harm))
	}
	return lines
}

// A missed run: those hurt most come first, then the checks by the harm that they let through.
func TestWhyMissed(t *testing.T) {
	s := script.Ready("faulty", 1, true)
	declare(s, "early", "average", "ghost", "unreached")
	s.Release().Traffic(10).Canary(event.PhaseProgressing, 50, 0)
	asked(s, "early", 100, 99)
	s.Traffic(10)
	asked(s, "average", 99.4, 99)
	s.Gate(event.GateVolume, true).Traffic(10)
	asked(s, "average", 99.1, 99)
	asked(s, "ghost", 0, 99)
	s.Canary(event.PhaseProgressing, 50, 1).Wait(4 * time.Second).Traffic(10)
	s.Canary(event.PhaseWaitingPromotion, 50, 1).Traffic(10)
	got := explained(score.RoleFaulty, s.Promote().Complete())
	for _, part := range []string{
		"Why it was missed",
		"▲ premium on pay: 50 % of their ",
		"○ unreached was never asked: Flagger stops at the first check that fails, and ghost failed the one time it " +
			"was asked [",
		"○ average passed both times while users were hurt; closest: 99.1 ≥ 99 at 01:40 [",
		"○ early was last asked at 01:20, before any user was hurt [",
		"○ ghost never had a value, the one time it was asked, and a check without a value fails [",
		"· gate volume passed the one time it was asked while users were hurt [",
		"○ 1 check failed in all; it takes 5 to roll back [",
		"○ phase WaitingPromotion, from 01:54 to 02:04 [",
	} {
		found := false
		for _, line := range got {
			found = found || strings.HasPrefix(line, part)
		}
		if !found {
			t.Errorf("%q is missing", part)
		}
	}
	if t.Failed() {
		t.Logf("got\n%s", strings.Join(got, "\n"))
	}
	checkRanking(t, got)
}

// checkRanking: users first and checks after them, each with the most harm first.
func checkRanking(t *testing.T, lines []string) {
	t.Helper()
	last := map[string]int{}
	for _, line := range lines[1:] {
		sign, _, _ := strings.Cut(line, " ")
		var harm int
		if _, err := fmt.Sscanf(line[strings.LastIndex(line, "["):], "[%d]", &harm); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[sign]; ok && harm > before {
			t.Errorf("%q explains more harm than the line before it (%d)", line, before)
		}
		last[sign] = harm
	}
}

// Attempts that clients' proxies sent again are named if the canary has more of them than the
// primary, and enough.
func TestRetriesThatHidACanary(t *testing.T) {
	for _, x := range []struct{ canary, primary, seconds, facts int }{{5, 0, 99, 1}, {5, 50, 99, 0}, {1, 0, 3, 0}} {
		s := script.Ready("faulty", 1, true)
		first := len(s.Events())
		s.Release().Traffic(5).Canary(event.PhaseProgressing, 50, 0).Traffic(5)
		last := len(s.Events())
		s.Promote().Complete()
		for i := last - 1; i >= first; i-- {
			if f, ok := s.Events()[i].Fact.(event.Traffic); ok && x.seconds > 0 {
				x.seconds--
				retryCells(f.Cells, x.canary, x.primary)
			}
		}
		facts := 0
		for _, line := range explained(score.RoleFaulty, s) {
			if strings.Contains(line, "attempts on the canary again") {
				facts++
			}
		}
		if facts != x.facts {
			t.Errorf("%+v: %d facts", x, facts)
		}
	}
}

func retryCells(cells []event.Cell, canary, primary int) {
	for i := range cells {
		switch cells[i].Workload {
		case script.Service:
			cells[i].ProxyRetried = canary
		case script.Service + "-primary":
			cells[i].ProxyRetried = primary
		}
	}
}

// Requests that no pod got are named by cohort, with the time.
func TestUnansweredUsers(t *testing.T) {
	s := script.Ready("healthy", 1, true)
	s.Release().Traffic(5).Canary(event.PhaseProgressing, 50, 0)
	first := len(s.Events())
	s.Traffic(5)
	for _, e := range s.Events()[first:] {
		if f, ok := e.Fact.(event.Traffic); ok {
			f.Cells[0].Workload, f.Cells[0].Version = "", ""
			f.Cells[0].Bad, f.Cells[0].ByMesh = f.Cells[0].N, f.Cells[0].N
		}
	}
	got := strings.Join(explained(score.RoleHealthy, s.Traffic(5).Promote().Complete()), "\n")
	const want = "requests of free from 01:15 to 01:20, which clients' proxies answered themselves"
	if !strings.Contains(got, want) {
		t.Errorf("%q is missing in\n%s", want, got)
	}
}

// Requests that met a canary which clients' proxies do not know yet are told apart from those that a
// wrong route loses.
func TestLateCanary(t *testing.T) {
	s := script.Ready("healthy", 1, true)
	s.Release().Traffic(5).Canary(event.PhaseProgressing, 5, 0)
	first := len(s.Events())
	s.Traffic(20)
	for _, e := range s.Events()[first:] {
		if f, ok := e.Fact.(event.Traffic); ok {
			c := &f.Cells[0]
			c.Workload, c.Version = "", ""
			c.Bad, c.ByMesh, c.Errors = c.N, c.N, c.N
		}
	}
	got := strings.Join(explained(score.RoleHealthy, s.Traffic(5).Promote().Complete()), "\n")
	const want = "met a canary that the clients' proxies did not know yet"
	if !strings.Contains(got, want) {
		t.Errorf("%q is missing in\n%s", want, got)
	}
}

// A gate that says no before the canary has traffic: the metrics behind it were never asked.
func TestWhyHeldByAGate(t *testing.T) {
	s := script.Ready("healthy", 1, true)
	declare(s, "success", "latency")
	s.Release().Traffic(10).Canary(event.PhaseProgressing, 0, 0)
	for n := 1; n <= 3; n++ {
		s.Gate(event.GatePolicy, false).Canary(event.PhaseProgressing, 0, n).Traffic(10)
	}
	got := explained(score.RoleHealthy, s.Canary(event.PhaseFailed, 0, 0).Traffic(10).Complete())
	want := []string{
		"Why the healthy release was held",
		"✗ gate policy stopped the rollout all 3 times, first at 01:20: made up [0]",
		"○ success was never asked: gate policy said no first, all 3 times [0]",
		"○ latency was never asked: gate policy said no first, all 3 times [0]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A metric that finds no series is named, with the reason if the canary had no traffic.
func TestWhyHeldWithoutValues(t *testing.T) {
	s := script.Ready("healthy", 1, true)
	s.Release().Traffic(10).Canary(event.PhaseProgressing, 0, 0)
	for n := 1; n <= 2; n++ {
		asked(s, "success", 0, 99)
		s.Canary(event.PhaseProgressing, 0, n).Traffic(10)
	}
	got := explained(score.RoleHealthy, s.Canary(event.PhaseFailed, 0, 0).Traffic(10).Complete())
	want := []string{"Why the healthy release was held", "✗ success never had a value, both times, and a check " +
		"without a value fails: the canary had no traffic [0]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatDetectedIt(t *testing.T) {
	got := explained(score.RoleFaulty, reporttest.Noticed(1))
	want := []string{"What detected it",
		"◆ premium-success failed 5 of 6 times, first 49 s after the first user was hurt (62.5 < 99) [30]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingToExplain(t *testing.T) {
	if got := explained(score.RoleHealthy, reporttest.Overlooked("healthy", 1)); len(got) != 1 {
		t.Errorf("a delivered version is explained: %q", got)
	}
	if e := (&model.Trial{}).Explanation(); len(e.Facts) > 0 {
		t.Errorf("a trial without runs is explained: %v", e)
	}
}
