package result

import (
	"strings"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
)

func TestSilenceRemark(t *testing.T) {
	row := func(silences ...time.Duration) score.Row {
		var r score.Row
		for i, s := range silences {
			r.Track = append(r.Track, score.Exposure{Weight: 5 + 20*i, Silence: event.Seconds(s)})
		}
		return r
	}
	rows := []score.Row{row(22*time.Second, 0), row(31*time.Second, time.Second), row(0, 0)}
	want := "The canary got no requests at first: " +
		"for 22 s to 31 s at 5 % (2 of 3 runs), for 1 s at 25 % (1 of 3 runs). "
	if got := silenceRemark(rows); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to start with %q", got, want)
	}
	if got := silenceRemark(rows[2:]); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}
