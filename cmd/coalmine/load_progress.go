package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
)

// loadProgress tells on a terminal's stderr how a load goes: one line, drawn anew with each second of traffic. It knows the
// load's events and nothing else.
type loadProgress struct {
	w     io.Writer
	width int
	total time.Duration
}

// newLoadProgress is silent where nobody watches, and in virtual time, which is over before it could be read.
func newLoadProgress(env *Env, job *loadJob, virtual bool) *loadProgress {
	p := &loadProgress{width: env.Width, total: job.plan.Duration()}
	if env.ErrTerminal && !virtual {
		p.w = env.Err
		p.draw(fmt.Sprintf("00:00 of %s", format.Clock(p.total)))
	}
	return p
}

func (p *loadProgress) event(e event.Event) {
	t, ok := e.Fact.(event.Traffic)
	if !ok || p.w == nil {
		return
	}
	n, bad := 0, 0
	var latency [][]event.BucketCount
	for _, c := range t.Cells {
		n, bad, latency = n+c.N, bad+c.Bad, append(latency, c.Latency)
	}
	parts := []string{fmt.Sprintf("%s of %s", format.Clock(time.Duration(t.To)), format.Clock(p.total)), fmt.Sprintf("%d answers/s", n)}
	if n > 0 {
		parts = append(parts, format.Percent(float64(bad)/float64(n))+" bad", "p99 "+format.Latency(event.Quantile(0.99, latency...)))
	}
	p.draw(strings.Join(parts, " · "))
}

func (p *loadProgress) draw(line string) { fmt.Fprint(p.w, "\r\x1b[K"+clip(line, p.width)) }

// close takes the line away.
func (p *loadProgress) close() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
