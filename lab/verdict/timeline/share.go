package timeline

import (
	"slices"
	"time"
)

// Exposure is the share of the traffic, in percent, that the canary had in a step: the route's
// weight, or what was observed if a rule with conditions routes too.
func (t *Timeline) Exposure(step int) int {
	s := t.Steps[step]
	if !s.Matched {
		return s.Weight
	}
	return percent(s.Canary, s.Served)
}

// percent rounds a share, but never to 0 what is more.
func percent(n, of int) int {
	if n == 0 || of == 0 {
		return 0
	}
	return max(1, (n*100+of/2)/of)
}

// Windows of a share.
const (
	// rollbackTick is how long before the rollback the route may have gone back: Flagger writes the
	// route first.
	rollbackTick = 3 * time.Second
	// recentTraffic is the time over which a share is observed. With session affinity it grows
	// while the route stays.
	recentTraffic = 30 * time.Second
	// promotionTraffic is that time while the primary gets the new version pod by pod.
	promotionTraffic = 10 * time.Second
)

// weightBefore is the canary's share in percent right before a rollback.
func (t *Timeline) weightBefore(at Moment) int {
	n := len(t.Steps)
	if n > 1 && t.Steps[n-1].Weight == 0 && !t.Steps[n-1].Matched && at.At-t.Steps[n-1].At <= rollbackTick {
		n--
	}
	return t.shareIn(t.Steps[:n], at)
}

// ShareAt is the released version's share of the traffic in percent right before a moment; 0 before
// the first step. What comes later does not change it. While the primary is updated, it gets the
// version too.
func (t *Timeline) ShareAt(at Moment) int {
	if began := t.Promoting; began.Happened() && began.Seq <= at.Seq && !t.promotedBy(at) {
		isNew := func(k Key) bool { return k.Version == t.Run.Version }
		if share, ok := t.observed(max(began.At, at.At-promotionTraffic), at.At, isNew); ok {
			return share
		}
	}
	return t.shareIn(t.Steps[:t.stepsUntil(at)], at)
}

func (t *Timeline) promotedBy(at Moment) bool {
	return t.Promoted.Happened() && t.Promoted.Seq <= at.Seq
}

// stepsUntil counts the steps up to a moment.
func (t *Timeline) stepsUntil(at Moment) int {
	n := len(t.Steps)
	for n > 0 && t.Steps[n-1].Seq > at.Seq {
		n--
	}
	return n
}

// Share is the released version's share of the traffic from a moment on, in percent. Matched is set
// if it was observed, because a rule with conditions routed to the canary.
type Share struct {
	Moment
	Percent int
	Matched bool
}

// SharesUntil lists the exposures up to a moment; the last one is in force then.
func (t *Timeline) SharesUntil(at Moment) []Share {
	n := t.stepsUntil(at)
	all := make([]Share, 0, n)
	for i, s := range t.Steps[:n] {
		x := Share{Moment: s.Moment, Percent: t.Exposure(i), Matched: s.Matched}
		if i == n-1 {
			x.Percent = t.ShareAt(at)
		}
		all = append(all, x)
	}
	return all
}

// shareIn is the share in the last of some steps: the route's, or what was observed lately if a
// rule with conditions routes too.
func (t *Timeline) shareIn(steps []Step, at Moment) int {
	if len(steps) == 0 {
		return 0
	}
	step := steps[len(steps)-1]
	if !step.Matched {
		return step.Weight
	}
	share, _ := t.observed(max(step.At, at.At-recentTraffic), at.At, t.onCanary)
	return share
}

// RecentShare is the share of the requests that the canary answered lately, in percent, whatever
// the routes say.
func (t *Timeline) RecentShare(at Moment) int {
	share, _ := t.observed(at.At-recentTraffic, at.At, t.onCanary)
	return share
}

// observed is the share of the service's answers between two times that is counts, in percent; ok
// is false without answers.
func (t *Timeline) observed(from, to time.Duration, is func(Key) bool) (share int, ok bool) {
	counted, served := 0, 0
	first, _ := slices.BinarySearchFunc(t.seconds, from, func(s second, from time.Duration) int {
		return int(time.Duration(s.From) - from)
	})
	for _, s := range t.seconds[first:] {
		if time.Duration(s.To) > to {
			break
		}
		for _, c := range s.Cells {
			if c.Workload == "" {
				continue
			}
			served += c.N + c.Retried
			if is(KeyOf(c)) {
				counted += c.N + c.Retried
			}
		}
	}
	return percent(counted, served), served > 0
}

// RouteAt is the service's routing at a moment; ok is false before the first route.
func (t *Timeline) RouteAt(at Moment) (r RouteChange, ok bool) {
	for _, c := range t.Routes {
		if c.Seq > at.Seq {
			break
		}
		r, ok = c, true
	}
	return r, ok
}
