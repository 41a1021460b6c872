package scenario

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/scenarios"
)

// A scenario that is drawn is as valid as the original, which does not change.
func TestDraw(t *testing.T) {
	all, err := List(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		before := fmt.Sprintf("%+v", s.Services) + fmt.Sprintf("%+v", s.Traffic)
		values := map[string]map[float64]bool{}
		for seed := range uint64(300) {
			d := s.Draw(seed)
			for _, f := range validate(d) {
				t.Fatalf("%s, seed %d: %s: %s", s.Name, seed, f.path, f.message)
			}
			if again := s.Draw(seed); !reflect.DeepEqual(d.Drawn, again.Drawn) || !reflect.DeepEqual(d.Services,
				again.Services) || !reflect.DeepEqual(d.Traffic, again.Traffic) {
				t.Fatalf("%s, seed %d: drawn twice, it is two scenarios", s.Name, seed)
			}
			for _, v := range s.Vary {
				x, ok := d.Drawn[v.Name()]
				if !ok || x < v.Min || x > v.Max {
					t.Fatalf("%s, seed %d: %s is %v, want %v to %v", s.Name, seed, v.Name(), x, v.Min, v.Max)
				}
				if values[v.Name()] == nil {
					values[v.Name()] = map[float64]bool{}
				}
				values[v.Name()][x] = true
			}
			sum := 0.0
			for _, c := range d.Traffic.Cohorts {
				sum += c.Share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Fatalf("%s, seed %d: the shares sum to %v", s.Name, seed, sum)
			}
		}
		if len(s.Vary) == 0 {
			t.Errorf("%s varies nothing", s.Name)
		}
		for name, seen := range values {
			if len(seen) < 3 {
				t.Errorf("%s: 300 seeds drew %d values of %s", s.Name, len(seen), name)
			}
		}
		if after := fmt.Sprintf("%+v", s.Services) + fmt.Sprintf("%+v", s.Traffic); after != before {
			t.Errorf("%s was changed by drawing", s.Name)
		}
		if d := s.Draw(1); d.Digest() != s.Digest() {
			t.Errorf("%s has another digest when it is drawn", s.Name)
		}
	}
}

func varying(v Vary) *Scenario {
	faults := []service.Fault{{Name: "slow", When: service.When{Load: 2}, Share: 0.5, Effect: service.Effect{
		AddLatency: &service.Latency{P50: time.Second, P99: 2 * time.Second}}}}
	routes := map[string]service.RouteBehaviour{"": {ErrorRate: 0.01}}
	return &Scenario{
		Services: []Service{{Name: "back", Versions: map[string]Version{
			"v1": {Behaviour: service.Behaviour{Routes: routes}},
			"v2": {Behaviour: service.Behaviour{Routes: routes, Faults: faults}}}}},
		Traffic: loadgen.Workload{Cohorts: []loadgen.Cohort{{Name: "a", Share: 0.5}, {Name: "b", Share: 0.3},
			{Name: "c", Share: 0.2}}},
		Vary: []Vary{v},
	}
}

// Each parameter changes what its name says, and nothing else.
func TestDrawnParameters(t *testing.T) {
	for _, c := range []struct {
		parameter, target string
		value             float64
		want              string
	}{
		{VaryFaultShare, "slow", 0.25, "share 0.25 users 0 load 2 onset 0s add 1s 2s rate 0.01 cohorts 0.5 0.3 0.2"},
		{VaryFaultUsers, "slow", 0.25, "share 0.5 users 0.25 load 2 onset 0s add 1s 2s rate 0.01 cohorts 0.5 0.3 0.2"},
		{VaryFaultLoad, "slow", 5, "share 0.5 users 0 load 5 onset 0s add 1s 2s rate 0.01 cohorts 0.5 0.3 0.2"},
		{VaryLatencyFactor, "slow", 1.5, "share 0.5 users 0 load 2 onset 0s add 1.5s 3s rate 0.01 cohorts 0.5 0.3 0.2"},
		{VaryOnset, "slow", 7.5, "share 0.5 users 0 load 2 onset 7.5s add 1s 2s rate 0.01 cohorts 0.5 0.3 0.2"},
		{VaryErrorRateFactor, "back", 3, "share 0.5 users 0 load 2 onset 0s add 1s 2s rate 0.03 cohorts 0.5 0.3 0.2"},
		{VaryCohortShare, "a", 0.75, "share 0.5 users 0 load 2 onset 0s add 1s 2s rate 0.01 cohorts 0.75 0.15 0.1"},
	} {
		v := Vary{Parameter: c.parameter, Target: c.target, Min: c.value, Max: c.value}
		d := varying(v).with(map[string]float64{v.Name(): c.value})
		f := d.Services[0].Versions["v2"].Behaviour.Faults[0]
		var shares []float64
		for _, c := range d.Traffic.Cohorts {
			shares = append(shares, c.Share)
		}
		got := fmt.Sprintf("share %v users %v load %v onset %v add %v %v rate %v cohorts %.3g", f.Share, f.When.Users,
			f.When.Load, f.When.Uptime, f.Effect.AddLatency.P50, f.Effect.AddLatency.P99,
			d.Services[0].Versions["v1"].Behaviour.Routes[""].ErrorRate, shares)
		if got = strings.NewReplacer("[", "", "]", "").Replace(got); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.parameter, c.value, got, c.want)
		}
	}
}

// Whole numbers are drawn alike often, and both ends of a range are in it.
func TestDrawOfALoad(t *testing.T) {
	s := varying(Vary{Parameter: VaryFaultLoad, Target: "slow", Min: 3, Max: 5})
	seen := map[int]int{}
	for seed := range uint64(3000) {
		seen[s.Draw(seed).Services[0].Versions["v2"].Behaviour.Faults[0].When.Load]++
	}
	if len(seen) != 3 || min(seen[3], seen[4], seen[5]) < 850 {
		t.Errorf("3000 draws gave %v", seen)
	}
}

// Each test adds entries to the minimal scenario, at line 49.
func TestVaryFindings(t *testing.T) {
	for _, c := range []struct{ entry, want string }{
		{"{parameter: fault-size, target: broken, min: 0.1, max: 0.2}",
			`scenario.yaml:46: spec.vary[0].parameter: there is no parameter "fault-size": write one of fault-share, `},
		{"{parameter: fault-share, target: borken, min: 0.1, max: 0.2}",
			`scenario.yaml:46: spec.vary[0].target: there is no fault "borken": write one of broken`},
		{"{parameter: fault-share, target: broken, min: 0.2, max: 0.2}",
			"the range is 0.2 to 0.2: write a max above min"},
		{"{parameter: fault-share, target: broken, min: 0.2, max: .nan}", "write a max above min"},
		{"{parameter: fault-share, target: broken, min: 0, max: 0.2}", "min: is 0: write a share above 0"},
		{"{parameter: onset, target: broken, min: -1, max: 2}", "min: is -1: write seconds above 0"},
		{"{parameter: fault-users, target: broken, min: 0.2, max: 1.2}", "max: is 1.2: write a share of at most 1"},
		{"{parameter: fault-load, target: broken, min: 1, max: 2.5}", "write whole numbers of requests"},
		{"{parameter: latency-factor, target: broken, min: 1, max: 2}", "the fault broken adds no latency"},
		{"{parameter: error-rate-factor, target: back, min: 1, max: 2}", "the service back has no error rate"},
		{"{parameter: cohort-share, target: user, min: 0.1, max: 0.2}", `there is no cohort "user"`},
		{"{parameter: cohort-share, target: users, min: 0.1, max: 0.2}", "leave some for one that does not vary"},
		{"{parameter: onset, target: broken, min: 0, max: 2}\n    - {parameter: onset, target: broken, min: 0, max: 3}",
			"scenario.yaml:47: spec.vary[1]: onset of broken varies already"},
		{"{parameter: onset, target: broken, from: 0, max: 2}", "Vary has no field from"},
	} {
		text := strings.Replace(minimal, "  timing:", "  vary:\n    - "+c.entry+"\n  timing:", 1)
		_, _, err := parse("scenario.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.entry, err, c.want)
		}
		var problems Problems
		if errors.As(err, &problems) && len(problems) != 1 {
			t.Errorf("%s: %d findings, want one: %v", c.entry, len(problems), err)
		}
	}
	good := strings.Replace(minimal, "  timing:",
		"  vary: [{parameter: onset, target: broken, min: 0, max: 20}]\n  timing:", 1)
	if s, _, err := parse("scenario.yaml", []byte(good)); err != nil || len(s.Vary) != 1 || s.Drawn != nil {
		t.Errorf("a valid entry gives %v", err)
	}
}
