package result

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/score"
)

// silence is how long canaries got no request at first in steps of one kind.
type silence struct {
	step        string
	runs        int
	least, most event.Seconds
}

// silenceRemark names the steps at whose start canaries got no requests, and for how long; "" if there
// are none.
func silenceRemark(runs []score.Row) string {
	all := silences(runs)
	if len(all) == 0 {
		return ""
	}
	var steps []string
	for _, s := range all {
		took := format.Duration(time.Duration(s.most))
		if s.least < s.most {
			took = format.Duration(time.Duration(s.least)) + " to " + took
		}
		steps = append(steps, fmt.Sprintf("for %s %s (%d of %s)", took, s.step, s.runs,
			format.Plural(len(runs), "run")))
	}
	return "The canary got no requests at first: " + strings.Join(steps, ", ") + ". A client's proxy that has met a " +
		"Service without pods asks for them again after up to a minute. The gate /rollback-drill waits for that."
}

func silences(runs []score.Row) []silence {
	var all []silence
	for _, row := range runs {
		for _, x := range row.Track {
			if x.Silence == 0 {
				continue
			}
			step := fmt.Sprintf("at %d %%", x.Weight)
			if x.Matched {
				step = "in an experiment"
			}
			i := slices.IndexFunc(all, func(s silence) bool { return s.step == step })
			if i < 0 {
				i, all = len(all), append(all, silence{step: step, least: x.Silence})
			}
			s := &all[i]
			s.runs++
			s.least, s.most = min(s.least, x.Silence), max(s.most, x.Silence)
		}
	}
	return all
}
