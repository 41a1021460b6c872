//go:build seg

package sim_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"coalmine/lab"
	"coalmine/lab/event"
	"coalmine/lab/score"
	"coalmine/lab/sim"
	"coalmine/lab/timeline"
)

func TestSeg(t *testing.T) {
	name, variant := os.Getenv("SC"), os.Getenv("VAR")
	from, _ := strconv.Atoi(os.Getenv("FROM"))
	to, _ := strconv.Atoi(os.Getenv("TO"))
	s := flight(t, name, "", "", 0).Scenario
	var flights []lab.Flight
	for seed := uint64(from); seed <= uint64(to); seed++ {
		flights = append(flights, flight(t, name, variant, s.Release.Faulty, seed), flight(t, name, variant, s.Release.Healthy, seed), flight(t, name, "", s.Release.Faulty, seed))
	}
	parts := []score.Part{score.PartFaulty, score.PartHealthy, score.PartUnguarded}
	runs := make([]score.RunResult, len(flights))
	if err := lab.Trial(context.Background(), lab.Here{Cluster: sim.Cluster{Version: "test"}}, flights, runtime.GOMAXPROCS(0), func(i int) (lab.Log, error) {
		runs[i] = score.RunResult{Part: parts[i%3], Timeline: new(timeline.Timeline)}
		return timelineLog{runs[i].Timeline}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(runs); i += 3 {
		c := score.Trial(s, runs[i:i+3])
		fmt.Printf("== seed %d %s %d/%d: %s\n", from+i/3, c.Outcome, c.Points, c.MaxPoints, c.Reason)
		for _, r := range c.Runs {
			p := 0.0
			if r.Promoted != nil {
				p = float64(*r.Promoted) / 1e9
			}
			x := func(s *event.Seconds) float64 {
				if s == nil {
					return -1
				}
				return float64(*s) / 1e9
			}
			w := -1
			if r.Weight != nil {
				w = *r.Weight
			}
			none := -1
			if r.None != nil {
				none = *r.None
			}
			fmt.Printf("  %s %s %s mttd %.0f w %d harm %d/%d canaryreq %d promoted %.0f end %.0f\n", r.Role, r.Verdict, r.Reason, x(r.MTTD), w, r.Harm, none, r.CanaryRequests, p, float64(r.End)/1e9)
		}
		for _, it := range c.Items {
			fmt.Printf("   %d/%d %s: %s\n", it.Points, it.Max, it.ID, it.Reason)
		}
	}
}

func TestSegLook(t *testing.T) {
	name, variant := os.Getenv("SC"), os.Getenv("VAR")
	from, _ := strconv.Atoi(os.Getenv("FROM"))
	events, _ := play(t, flight(t, name, variant, os.Getenv("VER"), uint64(from)))
	for _, e := range events {
		switch f := e.Fact.(type) {
		case event.Query:
			v := "none"
			if f.Value != nil {
				v = fmt.Sprint(*f.Value)
			}
			fmt.Printf("%7.1f   query %s %s = %s %s\n", e.At.Seconds(), f.Metric, os.Getenv("Q"), v, f.Error)
			if os.Getenv("Q") != "" {
				fmt.Println(f.PromQL)
			}
		case event.Flagger:
			fmt.Printf("%7.1f flagger %s %s\n", e.At.Seconds(), f.Type, f.Message)
		case event.Gate:
			fmt.Printf("%7.1f   gate %s %v %s\n", e.At.Seconds(), f.Name, f.Passed, f.Reason)
		case event.Canary:
			fmt.Printf("%7.1f canary %s w%d fail %d\n", e.At.Seconds(), f.Phase, f.Weight, f.FailedChecks)
		}
	}
}
