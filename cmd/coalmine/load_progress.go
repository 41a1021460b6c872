package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/loadtest"
	"coalmine/loadgen/attack"
)

// loadProgress shows the progress of a load test on stderr: one line that is redrawn with each
// second of traffic if that is a terminal, otherwise a line from time to time.
type loadProgress struct {
	w        io.Writer // nil to show nothing
	terminal bool
	width    int
	total    time.Duration
	planned  float64
	gauge    *attack.Gauge
	// responses and bad count the requests since the last line, with their latencies.
	responses, bad int
	latency        [][]event.BucketCount
	attempts       int
}

// plainEvery is the time between lines that are not redrawn.
const plainEvery = 10 * time.Second

// newLoadProgress shows nothing for simulated services, because the simulator takes no time.
func newLoadProgress(env *Env, t *loadtest.Test, simulated bool) *loadProgress {
	p := &loadProgress{terminal: env.ErrTerminal, width: env.Width, total: t.Plan().Duration(),
		planned: t.Expected(), gauge: t.Gauge()}
	if !simulated {
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
		if p.terminal {
			p.draw(clock(0, p.total))
		}
	case event.Traffic:
		p.add(f)
		if p.terminal || time.Duration(f.To)%plainEvery == 0 {
			p.draw(p.line(time.Duration(f.To)))
		}
	}
}

// add counts a second of traffic.
func (p *loadProgress) add(t event.Traffic) {
	for _, c := range t.Cells {
		p.responses, p.bad, p.latency = p.responses+c.N, p.bad+c.Bad, append(p.latency, c.Latency)
		p.attempts += c.N
	}
}

// line describes what came since the last line.
func (p *loadProgress) line(at time.Duration) string {
	seconds := 1.0
	if !p.terminal {
		seconds = plainEvery.Seconds()
	}
	parts := []string{
		clock(at, p.total),
		format.Rate(float64(p.responses)/seconds) + " responses/s",
	}
	if p.responses > 0 {
		parts = append(parts, format.Percent(float64(p.bad)/float64(p.responses))+" bad",
			"p99 "+format.Latency(event.Quantile(0.99, p.latency...)))
	}
	inFlight := p.gauge.InFlight()
	parts = append(parts, fmt.Sprintf("%d in flight (peak %d)", inFlight, p.gauge.Peak()))
	if left := p.planned - float64(p.attempts+inFlight); left >= 1 {
		parts = append(parts, "about "+format.Number(int64(left))+" to send")
	}
	p.responses, p.bad, p.latency = 0, 0, nil
	return strings.Join(parts, " · ")
}

// clock returns the time of a test. A generator that is late, or slow servers, need longer than
// the plan.
func clock(at, total time.Duration) string {
	if at > total {
		return fmt.Sprintf("%s, planned %s", format.Clock(at), format.Clock(total))
	}
	return fmt.Sprintf("%s of %s", format.Clock(at), format.Clock(total))
}

func (p *loadProgress) draw(line string) {
	if !p.terminal {
		fmt.Fprintln(p.w, line)
		return
	}
	fmt.Fprint(p.w, "\r\x1b[K"+clip(line, p.width))
}

// close removes the line.
func (p *loadProgress) close() {
	if p.w != nil && p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
