package pager_test

import (
	"math"
	"testing"
	"time"

	"coalmine/lab/verdict/pager"
)

// The workbook's own example: 100 % errors against 99.9 % over an hour at 14.4 times take 52 s.
func TestPagerIsTheWorkbooks(t *testing.T) {
	p := pager.Pager{Objective: 0.999, Rules: []pager.BurnRule{{Factor: 14.4, Window: time.Hour}}}
	got, ok := p.Detect(1)
	if !ok || math.Abs(got.Seconds()-51.84) > 0.01 {
		t.Errorf("100 %% errors are detected after %v, want 51.84s", got)
	}
	if _, ok := p.Detect(0.0143); ok {
		t.Error("an error rate below 14.4 times the budget pages")
	}
	if a, _ := p.Detect(0.1); a <= got {
		t.Errorf("fewer errors page sooner: %v", a)
	}
}
