package hpa_test

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"pgregory.net/rapid"

	"coalmine/lab/cluster/sim/hpa"
)

func spec(low, high int32) *autoscalingv2.HorizontalPodAutoscalerSpec {
	return &autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: &low, MaxReplicas: high}
}

func values(n int, v float64) hpa.Metric {
	m := hpa.Metric{}
	for range n {
		m.Values = append(m.Values, v)
	}
	return m
}

// The cases follow the examples of the documentation.
func TestDesired(t *testing.T) {
	for name, c := range map[string]struct {
		replicas int
		metrics  []hpa.Metric
		want     int
	}{
		"twice the target":             {3, []hpa.Metric{values(3, 2)}, 6},
		"within the tolerance":         {3, []hpa.Metric{values(3, 1.1)}, 3},
		"just above it":                {3, []hpa.Metric{values(3, 1.11)}, 4},
		"at the most":                  {8, []hpa.Metric{values(8, 3)}, 10},
		"below the least":              {1, []hpa.Metric{values(1, 0.1)}, 2},
		"above the most":               {12, []hpa.Metric{values(12, 1)}, 10},
		"disabled":                     {0, []hpa.Metric{values(1, 9)}, 0},
		"without a value":              {4, []hpa.Metric{{}}, 4},
		"without metrics":              {4, nil, 4},
		"the highest of several":       {2, []hpa.Metric{values(2, 1), values(2, 1.5)}, 3},
		"starting pods count as idle":  {4, []hpa.Metric{{Values: []float64{1.6, 1.6}, Unready: 2}}, 4},
		"and more is still needed":     {4, []hpa.Metric{{Values: []float64{3, 3}, Unready: 2}}, 6},
		"no more than twice, or four":  {3, []hpa.Metric{values(3, 9)}, 7},
		"twice is more than four more": {5, []hpa.Metric{values(5, 9)}, 10},
	} {
		if got := new(hpa.Autoscaler).Desired(0, spec(2, 10), c.replicas, c.metrics); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// Replicas are removed only when no recommendation of the last five minutes wanted more.
func TestScaleDownIsStabilized(t *testing.T) {
	a, replicas := new(hpa.Autoscaler), 2
	load := 8.0 // in units of one pod's target
	for now := time.Duration(0); now <= 20*time.Minute; now += hpa.SyncPeriod {
		if now == 2*time.Minute {
			load = 2
		}
		replicas = a.Desired(now, spec(1, 10), replicas, []hpa.Metric{values(replicas, load/float64(replicas))})
		switch {
		case now == time.Minute && replicas != 8:
			t.Fatalf("%d replicas after a minute of load", replicas)
		case now < 2*time.Minute-hpa.SyncPeriod+5*time.Minute && now >= time.Minute && replicas != 8:
			t.Fatalf("%d replicas at %v, within five minutes of the load", replicas, now)
		case now > 8*time.Minute && replicas != 2:
			t.Fatalf("%d replicas at %v, long after the load", replicas, now)
		}
	}
}

func TestBehavior(t *testing.T) {
	s, disabled, none := spec(1, 10), autoscalingv2.DisabledPolicySelect, int32(0)
	s.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleDown: &autoscalingv2.HPAScalingRules{SelectPolicy: &disabled, StabilizationWindowSeconds: &none},
		ScaleUp: &autoscalingv2.HPAScalingRules{Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 60}}},
	}
	a := new(hpa.Autoscaler)
	if got := a.Desired(0, s, 4, []hpa.Metric{values(4, 0.1)}); got != 4 {
		t.Errorf("scaling down is disabled: got %d", got)
	}
	if got := a.Desired(15*time.Second, s, 4, []hpa.Metric{values(4, 2)}); got != 5 {
		t.Errorf("one pod in a minute: got %d", got)
	}
	if got := a.Desired(30*time.Second, s, 5, []hpa.Metric{values(5, 2)}); got != 5 {
		t.Errorf("no second pod in the same minute: got %d", got)
	}
	if got := a.Desired(80*time.Second, s, 5, []hpa.Metric{values(5, 2)}); got != 6 {
		t.Errorf("one more in the next minute: got %d", got)
	}
}

func TestReplicasStayWithinTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Int32Range(1, 5).Draw(t, "low")
		s := spec(low, low+rapid.Int32Range(0, 30).Draw(t, "more"))
		least, most := hpa.Bounds(s)
		a, replicas := new(hpa.Autoscaler), rapid.IntRange(1, 30).Draw(t, "replicas")
		for i := range 40 {
			v := rapid.Float64Range(0, 5).Draw(t, "value")
			replicas = a.Desired(time.Duration(i)*hpa.SyncPeriod, s, replicas, []hpa.Metric{values(replicas, v)})
			if replicas < least || replicas > most {
				t.Fatalf("%d replicas, outside %d to %d", replicas, least, most)
			}
		}
	})
}
