// Package hpa models the HorizontalPodAutoscaler controller: how many replicas it wants for what its
// metrics show. It is a pure function of what it is told, and has neither clock nor client.
//
// It follows the documentation (kubernetes.io, tasks/run-application/horizontal-pod-autoscale:
// algorithm details, configurable scaling behavior) with the defaults of kube-controller-manager.
package hpa

import (
	"math"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

const (
	// SyncPeriod is how often the controller decides (horizontal-pod-autoscaler-sync-period).
	SyncPeriod = 15 * time.Second
	// tolerance is the ratio around 1 that changes nothing (horizontal-pod-autoscaler-tolerance).
	tolerance = 0.1
	// downscaleWindow is the default window over which the highest recommendation counts before
	// replicas are removed (horizontal-pod-autoscaler-downscale-stabilization).
	downscaleWindow = 300 * time.Second
	// maxReplicas bounds the replicas of one Deployment: each costs memory.
	maxReplicas = 20
)

// Metric is what one metric of an autoscaler shows.
type Metric struct {
	// Values are those of the ready pods, in units of the target; 1 is the target itself.
	Values []float64
	// Unready counts pods that are starting, whose values do not count.
	Unready int
}

// Autoscaler is the state of one HorizontalPodAutoscaler.
type Autoscaler struct {
	// recommendations are those of the longest window, in order of time; changes are the replicas
	// that were added and removed.
	recommendations, changes []sample
}

type sample struct {
	at time.Duration
	n  int
}

// Desired returns the number of replicas that an autoscaler wants for a Deployment with a number of
// replicas, which the caller sets. 0 replicas disable it.
func (a *Autoscaler) Desired(now time.Duration, spec *autoscalingv2.HorizontalPodAutoscalerSpec, replicas int,
	metrics []Metric) int {
	low, high := Bounds(spec)
	switch {
	case replicas == 0:
		return 0
	case replicas < low:
		return a.change(now, replicas, low)
	case replicas > high:
		return a.change(now, replicas, high)
	}
	want, known := 0, false
	for _, m := range metrics {
		if len(m.Values) > 0 {
			want, known = max(want, recommend(m, replicas)), true
		}
	}
	if !known {
		return replicas
	}
	want = a.stabilize(now, spec.Behavior, replicas, want)
	return a.change(now, replicas, min(max(a.limit(now, spec.Behavior, replicas, want), low), high))
}

// Bounds returns the least and the greatest number of replicas.
func Bounds(spec *autoscalingv2.HorizontalPodAutoscalerSpec) (low, high int) {
	low = 1
	if spec.MinReplicas != nil {
		low = int(*spec.MinReplicas)
	}
	low = min(low, maxReplicas)
	return low, max(min(int(spec.MaxReplicas), maxReplicas), low)
}

// change remembers a change of the replicas.
func (a *Autoscaler) change(now time.Duration, from, to int) int {
	if from != to {
		a.changes = append(a.changes, sample{now, to - from})
	}
	return to
}

// recommend returns the replicas for one metric (kubernetes, pkg/controller/podautoscaler,
// replica_calculator.go). Before replicas are added, pods that are starting count as idle.
func recommend(m Metric, replicas int) int {
	sum := 0.0
	for _, v := range m.Values {
		sum += v
	}
	n := len(m.Values)
	ratio := sum / float64(n)
	if m.Unready == 0 {
		if within(ratio) {
			return replicas
		}
		return int(math.Ceil(float64(ratio*float64(n)) - 1e-9))
	}
	up := ratio > 1
	if up {
		n += m.Unready
		ratio = sum / float64(n)
	}
	if within(ratio) || up != (ratio > 1) {
		return replicas
	}
	want := int(math.Ceil(float64(ratio*float64(n)) - 1e-9))
	if up && want < replicas || !up && want > replicas {
		return replicas
	}
	return want
}

// within reports whether a ratio changes nothing. It allows for rounding.
func within(ratio float64) bool { return math.Abs(ratio-1) <= tolerance+1e-9 }

// stabilize returns the recommendation that counts: before replicas are removed the highest of a
// window, before replicas are added the lowest.
func (a *Autoscaler) stabilize(now time.Duration, b *autoscalingv2.HorizontalPodAutoscalerBehavior,
	replicas, want int) int {
	down, up := downscaleWindow, time.Duration(0)
	if b != nil {
		down, up = window(b.ScaleDown, down), window(b.ScaleUp, up)
	}
	a.recommendations = slices.DeleteFunc(a.recommendations, func(s sample) bool { return s.at <= now-max(down, up) })
	a.recommendations = append(a.recommendations, sample{now, want})
	highest, lowest := want, want
	for _, s := range a.recommendations {
		if s.at > now-down {
			highest = max(highest, s.n)
		}
		if s.at > now-up {
			lowest = min(lowest, s.n)
		}
	}
	return min(max(replicas, lowest), highest)
}

func window(r *autoscalingv2.HPAScalingRules, otherwise time.Duration) time.Duration {
	if r == nil || r.StabilizationWindowSeconds == nil {
		return otherwise
	}
	return time.Duration(*r.StabilizationWindowSeconds) * time.Second
}

// limit applies the policies on how fast replicas are added and removed.
func (a *Autoscaler) limit(now time.Duration, b *autoscalingv2.HorizontalPodAutoscalerBehavior,
	replicas, want int) int {
	up := want > replicas
	rules := defaultRules(up)
	if b != nil {
		given := b.ScaleDown
		if up {
			given = b.ScaleUp
		}
		if given != nil && given.SelectPolicy != nil {
			rules.SelectPolicy = given.SelectPolicy
		}
		if given != nil && len(given.Policies) > 0 {
			rules.Policies = given.Policies
		}
	}
	choose := *rules.SelectPolicy
	if want == replicas || choose == autoscalingv2.DisabledPolicySelect {
		return replicas
	}
	least, most := math.MaxInt, 0
	for _, p := range rules.Policies {
		n := a.allowed(now, p, replicas, up)
		least, most = min(least, n), max(most, n)
	}
	// The policy that changes most counts, unless the rules ask for the one that changes least.
	if changeMost := choose != autoscalingv2.MinChangePolicySelect; up == changeMost {
		least = most
	}
	if up {
		return min(want, max(least, replicas))
	}
	return max(want, min(least, replicas))
}

// defaultRules are those of the API server.
func defaultRules(up bool) autoscalingv2.HPAScalingRules {
	most := autoscalingv2.MaxChangePolicySelect
	percent := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}
	rules := autoscalingv2.HPAScalingRules{SelectPolicy: &most, Policies: []autoscalingv2.HPAScalingPolicy{percent}}
	if up {
		rules.Policies = append(rules.Policies,
			autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15})
	}
	return rules
}

// allowed returns the replicas that one policy allows now, given what was changed in its period.
func (a *Autoscaler) allowed(now time.Duration, p autoscalingv2.HPAScalingPolicy, replicas int, up bool) int {
	start := replicas
	for _, c := range a.changes {
		if c.at > now-time.Duration(p.PeriodSeconds)*time.Second && (c.n > 0) == up {
			start -= c.n
		}
	}
	part := float64(p.Value)
	if p.Type == autoscalingv2.PercentScalingPolicy {
		part = float64(start) * float64(p.Value) / 100
	}
	if up {
		return start + int(math.Ceil(part))
	}
	return max(0, start-int(math.Ceil(part)))
}
