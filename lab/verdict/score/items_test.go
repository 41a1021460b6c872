package score_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
)

// Flagger stops at the first gate that fails: the gates after it count as called if another run
// calls them.
func TestGatesAfterARefusal(t *testing.T) {
	refused := rolling("faulty").Canary("Progressing", 0, 0).Gate("mtls", true).Gate("policy", false).Canary(
		"Progressing", 0, 1).Canary("Failed", 0, 2).Traffic(5).Complete()
	began := func() *script.Script {
		return rolling("healthy").Canary("Progressing", 0, 0).Gate("mtls", true).Gate("policy", true)
	}
	for name, c := range map[string]struct {
		healthy *script.Script
		want    int
	}{
		"drilled elsewhere": {began().Gate("rollback-drill", true), 10},
		"drilled never":     {began(), 0},
	} {
		runs := []score.RunResult{run(score.RoleFaulty, refused),
			run(score.RoleHealthy, c.healthy.Canary("Progressing", 5, 0).Traffic(10).Promote().Complete())}
		if i := score.Trial(all(scenario.RubricItem{ID: "rehearsed", Points: 10}), runs).Items[0]; i.Points != c.want {
			t.Errorf("%s: %d points, want %d: %s", name, i.Points, c.want, i.Reason)
		}
	}
}

type itemCase struct {
	id    string
	limit float64
	log   *script.Script
	want  bool
}

func itemCases() map[string]itemCase {
	described := func(owner, hypothesis, start, end string) *script.Script {
		s := script.New("faulty", 1, true)
		return s.Add(event.Applied{ObjectKind: "Canary", Name: script.Service, Owner: "learner",
			Annotations: map[string]string{
				"coalmine.dev/owner": owner, "coalmine.dev/start": start, "coalmine.dev/end": end,
				"coalmine.dev/hypothesis": hypothesis,
			}}).Traffic(5).Complete()
	}
	bounds := func(start, end string) *script.Script { return described("team-a", "they buy more", start, end) }
	proved := func() *script.Script {
		return rolling("faulty").Canary("Progressing", 0, 0).Gate("mtls", true).Gate("policy",
			true).Gate("rollback-drill", true)
	}
	waiting := rolling("faulty").Canary("Progressing", 5, 0).Traffic(10).Gate("approve", false).Traffic(30)
	waitingEarly := rolling("faulty").Canary("Progressing", 0, 0).Gate("approve", false).Traffic(30).Gate("approve",
		true).Canary("Progressing", 5, 0)
	late := proved()
	late.Canary("Progressing", 5, 0).Traffic(20)
	return map[string]itemCase{
		"caught":           {"caught", 0, script.RolledBack(1), true},
		"not caught":       {"caught", 0, script.Promoted("faulty", 1), false},
		"harm within":      {"harm-share", 0.12, script.RolledBack(1), true},
		"harm beyond":      {"harm-share", 0.11, script.RolledBack(1), false},
		"harm by MaxHarm":  {"harm-share", 0, script.RolledBack(1), true},
		"soon":             {"detect-within", 49, script.RolledBack(1), true},
		"late":             {"detect-within", 48, script.RolledBack(1), false},
		"low weight":       {"abort-weight", 25, script.RolledBack(1), true},
		"high weight":      {"abort-weight", 24, script.RolledBack(1), false},
		"cohort within":    {"cohort-harm", 0.12, script.RolledBack(1), true},
		"cohort beyond":    {"cohort-harm", 0.11, script.RolledBack(1), false},
		"mtls":             {"mtls", 0, late, true},
		"policy":           {"policy", 0, late, true},
		"rehearsed":        {"rehearsed", 0, late, true},
		"preconditions":    {"preconditions", 0, late, true},
		"no mtls":          {"mtls", 0, script.RolledBack(1), false},
		"no policy":        {"policy", 0, script.RolledBack(1), false},
		"no rehearsal":     {"rehearsed", 0, script.RolledBack(1), false},
		"no preconditions": {"preconditions", 0, script.RolledBack(1), false},
		"mtls after the fact": {"mtls", 0, rolling("faulty").Canary("Progressing", 5, 0).Traffic(5).Gate("mtls",
			true), false},
		"mtls that refused": {"mtls", 0, rolling("faulty").Canary("Progressing", 0, 0).Gate("mtls",
			false).Traffic(5), true},
		"mtls that let through": {"mtls", 0, rolling("faulty").Canary("Progressing", 5, 0).Gate("mtls",
			false).Traffic(5), false},
		"bounded": {"experiment-bounded", 0, script.RolledBack(1), true},
		"bounded by times": {"experiment-bounded", 0,
			bounds("2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z"), true},
		"ends first":            {"experiment-bounded", 0, bounds("2026-03-02", "2026-03-01"), false},
		"ends at once":          {"experiment-bounded", 0, bounds("2026-03-01", "2026-03-01"), false},
		"ends some day":         {"experiment-bounded", 0, bounds("2026-03-01", "soon"), false},
		"two hundred years":     {"experiment-bounded", 0, bounds("1926-03-02", "2126-03-02"), false},
		"a quarter and a day":   {"experiment-bounded", 0, bounds("2026-03-01", "2026-05-31"), false},
		"over before any run":   {"experiment-bounded", 0, bounds("1999-01-01", "1999-01-02"), false},
		"a quarter":             {"experiment-bounded", 0, bounds("2026-03-01", "2026-05-30"), true},
		"from the release on":   {"experiment-bounded", 0, bounds("release", "8h"), true},
		"of no length":          {"experiment-bounded", 0, bounds("release", "0s"), false},
		"release to a date":     {"experiment-bounded", 0, bounds("release", "2026-03-01"), false},
		"longer than a quarter": {"experiment-bounded", 0, bounds("release", "9000h"), false},
		"owned by a letter":     {"experiment-bounded", 0, described("x", "they buy more", "release", "8h"), false},
		"owned by a sign":       {"experiment-bounded", 0, described("--", "they buy more", "release", "8h"), false},
		"one word supposed":     {"experiment-bounded", 0, described("team-a", "better", "release", "8h"), false},
		"letters supposed":      {"experiment-bounded", 0, described("team-a", "a b c .", "release", "8h"), false},
		"never ends":            {"experiment-bounded", 0, bounds("2026-03-01", ""), false},
		"waits":                 {"no-waiting", 0, waiting, false},
		"waits before harm":     {"no-waiting", 0, waitingEarly.Traffic(10), true},
		"does not wait":         {"no-waiting", 0, script.RolledBack(1), true},
		"ratio by weight":       {"sample-ratio", 0, script.RolledBack(1), true},
		"ratio without canary":  {"sample-ratio", 0, rolling("faulty"), false},
	}
}

func TestItems(t *testing.T) {
	for name, c := range itemCases() {
		runs := []score.RunResult{run(score.RoleFaulty, c.log), run(score.RoleUnguarded, script.Unguarded(1))}
		if c.log.Events()[len(c.log.Events())-1].Fact.Kind() != event.KindRunEnded {
			runs[0] = run(score.RoleFaulty, c.log.Complete())
		}
		if slices.Contains([]string{"caught", "harm-share", "detect-within", "abort-weight", "cohort-harm"}, c.id) {
			runs = append(runs, run(score.RoleHealthy, script.Promoted("healthy", 1)))
		}
		i := score.Trial(all(scenario.RubricItem{ID: c.id, Points: 10, Limit: c.limit, Hint: "hint"}), runs).Items[0]
		if (i.Points == 10) != c.want || i.Points != 0 && i.Points != 10 {
			t.Errorf("%s: %d points (%s), want all: %v", name, i.Points, i.Reason, c.want)
		}
		if i.Reason == "" || i.Title == "" || (i.Hint == "") != c.want {
			t.Errorf("%s: item %+v", name, i)
		}
	}
}

func matched(share int) event.Route {
	return event.Route{Name: script.Service, Rules: []event.RouteRule{
		{Match: "header x-canary = always", Backends: []event.RouteBackend{{Service: script.Service + "-canary",
			Weight: share}, {Service: script.Service + "-primary", Weight: 100 - share}}},
		{Backends: []event.RouteBackend{{Service: script.Service + "-primary", Weight: 100}}},
	}}
}

// experiment is an A/B test whose premium users should all get the canary.
func experiment(leak int) *script.Script {
	s := rolling("healthy").Add(matched(100)).Add(event.Canary{Name: script.Service, Phase: "Progressing",
		Iterations: 1, Threshold: 5})
	for range 60 {
		from := s.Events()[len(s.Events())-1].At
		s.Wait(time.Second).Add(event.Traffic{From: event.Seconds(from), To: event.Seconds(from + time.Second),
			Cells: []event.Cell{
				{Cohort: "premium", Workload: script.Service, Version: script.Version, N: 20 - leak},
				{Cohort: "premium", Workload: script.Service + "-primary", Version: script.Baseline, N: leak},
				{Cohort: "free", Workload: script.Service + "-primary", Version: script.Baseline, N: 80},
				{Cohort: "testers", Workload: script.Service, Version: script.Version, N: 5},
			}})
	}
	return s
}

func TestSampleRatios(t *testing.T) {
	split := func(canary, primary int) *script.Script {
		s := rolling("healthy").Add(matched(50)).Canary("Progressing", 10, 0).Traffic(60)
		return s.Add(event.TrafficTotals{Assigned: map[string]map[string]int{
			"premium": {script.Service: canary, script.Service + "-primary": primary},
			"free":    {script.Service + "-primary": 5000},
		}}).End(event.OutcomeCompleted)
	}
	// 60 s at 10 %, of which 55 are steady: 110 of 1100 premium requests where 50 % were due.
	both := rolling("healthy").Add(matched(50)).Canary("Progressing", 10, 0).Traffic(60)
	both.Add(event.TrafficTotals{Users: map[string]int{"premium": 1000}, Assigned: map[string]map[string]int{
		"premium": {script.Service: 1000, script.Service + "-primary": 1000}}}).End(event.OutcomeCompleted)
	drained := rolling("healthy").Canary("Progressing", 50, 0)
	drained.Weight = 10
	for name, c := range map[string]struct {
		log  *script.Script
		want bool
	}{
		"everyone who matches":       {experiment(0).Complete(), true},
		"a third does not match":     {experiment(6).Complete(), false},
		"an even split":              {split(1010, 990), true},
		"users who saw both":         {both, false},
		"a lopsided split":           {split(1100, 900), false},
		"fewer than the weight says": {drained.Traffic(60).Complete(), false},
	} {
		i := score.Trial(all(scenario.RubricItem{ID: "sample-ratio", Points: 10}),
			[]score.RunResult{run(score.RoleFaulty, c.log)}).Items[0]
		if (i.Points == 10) != c.want {
			t.Errorf("%s: %d points: %s", name, i.Points, i.Reason)
		}
	}
}

func TestSampleRatioOfNamedCohorts(t *testing.T) {
	for name, c := range map[string]struct {
		cohorts []string
		missing int
		want    bool
	}{
		"all of them, and no others": {[]string{"premium", "testers"}, 0, true},
		"a third of them":            {[]string{"premium", "testers"}, 6, false},
		"others too":                 {[]string{"premium"}, 0, false},
		"none of one":                {[]string{"premium", "testers", "free"}, 0, false},
	} {
		i := score.Trial(all(scenario.RubricItem{ID: "sample-ratio", Points: 10, Cohorts: c.cohorts}),
			[]score.RunResult{run(score.RoleFaulty, experiment(c.missing).Complete())}).Items[0]
		if (i.Points == 10) != c.want {
			t.Errorf("%s: %d points: %s", name, i.Points, i.Reason)
		}
	}
}

// What counts is the weight at which a metric of the Canary had a value before the promotion.
func TestTestedWeight(t *testing.T) {
	value := 100.0
	measured := event.Query{Asker: script.Service, Value: &value}
	type facts map[int]event.Query
	rising := func(at facts) *script.Script {
		s := rolling("healthy")
		for _, w := range []int{5, 25, 50} {
			s.Canary(event.PhaseProgressing, w, 0).Traffic(30)
			if q, ok := at[w]; ok {
				s.Add(q)
			}
		}
		return s
	}
	late := rising(facts{5: measured}).Canary(event.PhasePromoting, 50, 0).Traffic(10).Add(measured)
	another := event.Query{Asker: "other", Value: &value}
	for name, c := range map[string]struct {
		log  *script.Script
		says string
		full bool
	}{
		"at each step":        {rising(facts{5: measured, 25: measured, 50: measured}), "up to 50 %", true},
		"at the last step":    {rising(facts{50: measured}), "up to 50 %", true},
		"not at the last":     {rising(facts{25: measured}), "up to 25 %", false},
		"never":               {rising(nil), "up to 0 %", false},
		"while promoting":     {late, "up to 5 %", false},
		"without a value":     {rising(facts{50: {Asker: script.Service}}), "up to 0 %", false},
		"with an error":       {rising(facts{50: {Asker: script.Service, Error: "x"}}), "up to 0 %", false},
		"by another's checks": {rising(facts{50: another}), "up to 0 %", false},
	} {
		item := scenario.RubricItem{ID: "tested-weight", Points: 10, Limit: 50}
		runs := []score.RunResult{run(score.RoleHealthy, c.log.Promote().Traffic(60).Complete())}
		i := score.Trial(all(item), runs).Items[0]
		if (i.Points == 10) != c.full || !strings.Contains(i.Reason, c.says+" of the traffic (50 % needed)") {
			t.Errorf("%s: %d points: %s, want %q", name, i.Points, i.Reason, c.says)
		}
	}
	stuck := rising(facts{50: measured}).Complete()
	i := score.Trial(all(scenario.RubricItem{ID: "tested-weight", Points: 10, Limit: 50}),
		[]score.RunResult{run(score.RoleHealthy, stuck)}).Items[0]
	if i.Points != 0 {
		t.Errorf("not promoted: %d points: %s", i.Points, i.Reason)
	}
}

func TestValidateRubric(t *testing.T) {
	var good []scenario.RubricItem
	for _, id := range score.ItemIDs() {
		limit := map[string]float64{"detect-within": 60, "cohort-harm": 0.1, "abort-weight": 25,
			"tested-weight": 50}[id]
		good = append(good, scenario.RubricItem{ID: id, Points: 1, Limit: limit})
	}
	r := rubric
	r.Items = good
	if err := score.ValidateRubric(r); err != nil {
		t.Errorf("a good rubric: %v", err)
	}
	for want, bad := range map[string]scenario.Rubric{
		"unknown":               {Items: []scenario.RubricItem{{ID: "luck"}}},
		"listed twice":          {Items: []scenario.RubricItem{{ID: "caught"}, {ID: "caught"}}},
		"takes no limit":        {Items: []scenario.RubricItem{{ID: "caught", Limit: 1}}},
		"points are -1":         {Items: []scenario.RubricItem{{ID: "caught", Points: -1}}},
		"limit is missing":      {Items: []scenario.RubricItem{{ID: "detect-within"}}},
		"tested-weight: limit":  {Items: []scenario.RubricItem{{ID: "tested-weight"}}},
		"limit is 2":            {Items: []scenario.RubricItem{{ID: "cohort-harm", Limit: 2}}},
		"limit is NaN":          {Items: []scenario.RubricItem{{ID: "cohort-harm", Limit: math.NaN()}}},
		"limit is +Inf":         {Items: []scenario.RubricItem{{ID: "cohort-harm", Limit: math.Inf(1)}}},
		"maxHarm is NaN":        {MaxHarm: math.NaN()},
		"maxHarm":               {MaxHarm: 1.5},
		"minCanaryRequests":     {MinCanaryRequests: -1},
		`precondition "luck"`:   {Preconditions: []string{"luck"}},
		"the rubric lists none": {Items: []scenario.RubricItem{{ID: "preconditions"}}},
	} {
		if err := score.ValidateRubric(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A wait costs points only for the time in which users were hurt.
func TestNoWaitingCountsTheTimeInWhichUsersAreHurt(t *testing.T) {
	start := func() *script.Script { return rolling("faulty").Canary("Progressing", 5, 0) }
	wait := func(s *script.Script) *script.Script { return s.Gate("approve", false) }
	heal := func(s *script.Script) *script.Script { s.Fault = 0; return s }
	const none = "nothing held the decision while users were hurt"
	for name, c := range map[string]struct {
		log  *script.Script
		want string
	}{
		"harm ends during the wait": {heal(wait(start().Traffic(10)).Traffic(2)).Traffic(300).Gate("approve",
			true).Traffic(5), "2 s"},
		"the wait ends first": {wait(start().Traffic(10)).Traffic(3).Gate("approve", true).Traffic(20), "3 s"},
		"neither ends":        {wait(start().Traffic(10)).Traffic(7), "7 s"},
		// the first second with harm ends where the wait is counted from
		"harm starts during the wait": {wait(start()).Traffic(5).Gate("approve", true).Traffic(5), "4 s"},
		"the wait starts as harm ends": {wait(heal(start().Traffic(10))).Traffic(30).Gate("approve",
			true).Traffic(5), ""},
		"the wait ends before harm": {wait(rolling("faulty").Canary("Progressing", 0, 0)).Traffic(30).Gate(
			"approve", true).Canary("Progressing", 5, 0).Traffic(10), ""},
		"no harm at all": {wait(heal(start())).Traffic(30), ""},
	} {
		want := none
		if c.want != "" {
			want = "gate approve held the rollout for " + c.want + " while users were hurt"
		}
		runs := []score.RunResult{run(score.RoleFaulty, c.log.Complete())}
		i := score.Trial(all(scenario.RubricItem{ID: "no-waiting", Points: 10}), runs).Items[0]
		if i.Reason != want || (i.Points == 10) != (c.want == "") {
			t.Errorf("%s: %d points (%s), want %q", name, i.Points, i.Reason, want)
		}
	}
}
