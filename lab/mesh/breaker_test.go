package mesh

import (
	"testing"
	"time"
)

// responses feeds statuses to a breaker, one each 100 ms, and returns after how many it opens, or 0.
func responses(a *Accrual, statuses ...int) int {
	var b breaker
	for i, s := range statuses {
		if _, opened := b.end(time.Duration(i)*100*time.Millisecond, a, s, 0); opened {
			return i + 1
		}
	}
	return 0
}

func TestBreakerTrips(t *testing.T) {
	consecutive := DefaultAccrual()
	consecutive.MaxFailures = 3
	rate := DefaultSuccessRate()
	unified := consecutive
	unified.Rate = &rate
	rateOnly := unified
	rateOnly.MaxFailures = 0
	off := rateOnly
	off.Rate = &SuccessRate{Window: time.Second}
	short := rateOnly
	short.Rate = &SuccessRate{Threshold: 0.8, Window: 300 * time.Millisecond, MinRequests: 3}
	shorter := short
	shorter.Rate = &SuccessRate{Threshold: 0.8, Window: 200 * time.Millisecond, MinRequests: 3}
	for name, c := range map[string]struct {
		accrual  Accrual
		statuses []int
		want     int
	}{
		"in a row":            {consecutive, []int{500, 503, 504}, 3},
		"interrupted":         {consecutive, []int{500, 503, 200, 500, 503}, 0},
		"client errors":       {consecutive, []int{429, 404, 429}, 0},
		"unified in a row":    {unified, []int{500, 500, 500}, 3},
		"unified rate":        {unified, []int{500, 200, 500, 200, 200}, 5},
		"429 counts for rate": {unified, []int{429, 429, 200, 200, 200}, 5},
		"rate at threshold":   {rateOnly, []int{500, 200, 200, 200, 200}, 0},
		"rate alone":          {rateOnly, []int{500, 500, 500, 500, 200}, 5},
		"both off":            {off, []int{500, 500, 500, 500, 500}, 0},
		"in the window":       {short, []int{500, 500, 200}, 3},
		"out of the window":   {shorter, []int{500, 500, 200, 500, 500}, 0},
		"few in the window":   {short, []int{500, 200}, 0},
	} {
		if got := responses(&c.accrual, c.statuses...); got != c.want {
			t.Errorf("%s: opens after %d responses, want %d", name, got, c.want)
		}
	}
}

// TestProbation checks what the first response after a penalty does.
func TestProbation(t *testing.T) {
	rate := DefaultSuccessRate()
	for name, c := range map[string]struct {
		rate   *SuccessRate
		status int
		opens  bool
	}{
		"success":            {nil, 200, false},
		"failure":            {nil, 500, true},
		"limit":              {nil, 429, false},
		"limit with unified": {&rate, 429, true},
	} {
		a := DefaultAccrual()
		a.Rate = c.rate
		b := breaker{state: breakerProbation, penalties: 1}
		penalty, opened := b.end(0, &a, c.status, 0)
		if opened != c.opens || opened && penalty != 2*time.Second {
			t.Errorf("%s: opens is %v for %v, want %v for 2s", name, opened, penalty, c.opens)
		}
	}
}
