package event_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"coalmine/lab/event"
)

const logStart = `{"seq":1,"at":0,"kind":"run.started","data":{"scenario":"s","seed":1}}` + "\n"

// traffic is a line with the cells.
func traffic(seq int, cells string) string {
	return fmt.Sprintf(`{"seq":%d,"at":%d,"kind":"traffic","data":{"from":0,"to":1,"cells":[%s]}}`+"\n",
		seq, seq, cells)
}

// list repeats an item, with commas.
func list(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }

// cohorts are cells of different cohorts.
func cohorts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"cohort":"c%d","route":"r","n":1}`, i)
	}
	return b.String()[1:]
}

func TestBudgetOfUntrustedLogs(t *testing.T) {
	const megabyte = 1 << 20
	reason := func(n int) string {
		return `{"seq":2,"at":0,"kind":"run.ended","data":{"outcome":"lab-fault","reason":"` +
			strings.Repeat("x", n) + "\"}}\n"
	}
	var many strings.Builder
	for seq := 2; seq < 6000; seq++ {
		many.WriteString(traffic(seq, ""))
	}
	for name, c := range map[string]struct {
		log  string
		fits bool
	}{
		"a usual log":        {logStart + traffic(2, list(100, `{"cohort":"a","route":"b","n":1}`)), true},
		"cells of one line":  {logStart + traffic(2, list(30_000, "{}")), false},
		"cells of few lines": {logStart + traffic(2, list(4000, "{}")) + traffic(3, list(4000, "{}")), false},
		"buckets": {logStart + traffic(2, `{"cohort":"a","route":"b","n":1,"lat":[`+list(70_000, "[0,1]")+
			`]}`), false},
		"events":        {logStart + many.String(), false},
		"cohorts":       {logStart + traffic(2, cohorts(2000)), false},
		"a long reason": {logStart + reason(300<<10), false},
		"a reason":      {logStart + reason(100<<10), true},
		"versions": {`{"seq":1,"at":0,"kind":"run.started","data":{"versions":{` + list(12_000, `"":""`) +
			"}}}\n", false},
	} {
		events, err := event.NewBudget(megabyte).Read(strings.NewReader(c.log))
		if c.fits && (err != nil || len(events) != 2) || !c.fits &&
			(!errors.Is(err, event.ErrTooLarge) || events != nil) {
			t.Errorf("%s: %d events, error %v", name, len(events), err)
		}
	}
}

// The budget is for all logs together.
func TestBudgetIsShared(t *testing.T) {
	log := logStart + traffic(2, list(1000, "{}"))
	b := event.NewBudget(1 << 20)
	var errs []error
	for range 5 {
		_, err := b.Read(strings.NewReader(log))
		errs = append(errs, err)
	}
	if errs[0] != nil || !errors.Is(errs[4], event.ErrTooLarge) {
		t.Errorf("got %v, want that the last is refused", errs)
	}
}

func TestBudgetReportsDamage(t *testing.T) {
	events, err := event.NewBudget(1 << 20).Read(strings.NewReader(logStart + "no event\n"))
	if len(events) != 1 || err == nil || errors.Is(err, event.ErrTooLarge) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%d events, error %v", len(events), err)
	}
}
