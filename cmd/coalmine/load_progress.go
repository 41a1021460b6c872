package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
)

// loadProgress shows the progress of a load test on stderr if that is a terminal: one line that is
// redrawn with each second of traffic.
type loadProgress struct {
	w     io.Writer // nil to show nothing
	width int
	total time.Duration
}

// newLoadProgress shows nothing for simulated services, because the simulator takes no time.
func newLoadProgress(env *Env, total time.Duration, simulated bool) *loadProgress {
	p := &loadProgress{width: env.Width, total: total}
	if env.ErrTerminal && !simulated {
		p.w = env.Err
	}
	return p
}

func (p *loadProgress) event(e event.Event) {
	if p.w == nil {
		return
	}
	switch f := e.Fact.(type) {
	case event.RunStarted:
		p.draw("00:00 of " + format.Clock(p.total))
	case event.Traffic:
		p.second(f)
	}
}

// second draws the line for one second of traffic.
func (p *loadProgress) second(t event.Traffic) {
	n, bad := 0, 0
	var latency [][]event.BucketCount
	for _, c := range t.Cells {
		n, bad, latency = n+c.N, bad+c.Bad, append(latency, c.Latency)
	}
	parts := []string{
		fmt.Sprintf("%s of %s", format.Clock(time.Duration(t.To)), format.Clock(p.total)),
		fmt.Sprintf("%d responses/s", n),
	}
	if n > 0 {
		parts = append(parts, format.Percent(float64(bad)/float64(n))+" bad",
			"p99 "+format.Latency(event.Quantile(0.99, latency...)))
	}
	p.draw(strings.Join(parts, " · "))
}

func (p *loadProgress) draw(line string) { fmt.Fprint(p.w, "\r\x1b[K"+clip(line, p.width)) }

// close removes the line.
func (p *loadProgress) close() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
