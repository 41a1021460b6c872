package results

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// Format is the version of the document that this package writes. It also reads format 1, which has
// no statuses and does not know about limits of the generator.
const Format = 2

// document is the file format of Results. Times are in seconds unless the name says µs.
type document struct {
	Format   int        `json:"format"`
	Workload string     `json:"workload"`
	Plan     wirePlan   `json:"plan"`
	Shards   wireShards `json:"shards"`
	Begin    *time.Time `json:"begin,omitempty"`
	Elapsed  seconds    `json:"elapsed_seconds"`
	Unsent   int64      `json:"unsent"`
	Stopped  int64      `json:"stopped"`
	// Workers, Peak and Saturated are those of [Run].
	Workers   int64            `json:"workers,omitempty"`
	Peak      int64            `json:"peak,omitempty"`
	Saturated bool             `json:"saturated,omitempty"`
	NotSent   map[string]int64 `json:"not_sent,omitempty"`
	Errors    map[string]int64 `json:"errors,omitempty"`
	Lag       wireTimes        `json:"schedule_error"`
	Totals    wireCell         `json:"totals"`
	Cells     []wireCell       `json:"cells"`
}

type wirePlan struct {
	Digest   string      `json:"digest"`
	Seed     uint64      `json:"seed"`
	Duration seconds     `json:"duration_seconds"`
	Cohorts  []string    `json:"cohorts"`
	Routes   []wireRoute `json:"routes"`
}

type wireRoute struct {
	Name string  `json:"name"`
	Path string  `json:"path"`
	Slow seconds `json:"slow_seconds,omitempty"`
}

type wireShards struct {
	Of   int   `json:"of"`
	Have []int `json:"have"`
}

// wireCell has no names in the totals.
type wireCell struct {
	Cohort   string           `json:"cohort,omitempty"`
	Route    string           `json:"route,omitempty"`
	Version  string           `json:"version,omitempty"`
	Requests int64            `json:"requests"`
	Attempts int64            `json:"attempts"`
	Failed   int64            `json:"failed"`
	Denied   int64            `json:"denied"`
	Limited  int64            `json:"limited"`
	Refused  int64            `json:"refused"`
	Slow     int64            `json:"slow"`
	Wrong    int64            `json:"wrong"`
	Bad      int64            `json:"bad"`
	Hit      int64            `json:"hit"`
	Harm     int64            `json:"harm"`
	Failures map[string]int64 `json:"failures,omitempty"`
	Statuses map[uint16]int64 `json:"statuses,omitempty"`
	Bytes    int64            `json:"bytes"`
	Latency  wireTimes        `json:"latency"`
}

// wireTimes are latencies. This package reads back the histogram, the sum and the maximum; the
// quantiles are for other tools.
type wireTimes struct {
	Seconds wireQuantiles `json:"seconds"`
	Clamped int64         `json:"clamped"`
	SumUS   int64         `json:"sum_us"`
	MaxUS   int64         `json:"max_us"`
	// HDR is the histogram in µs, in HdrHistogram's V2 compressed encoding and base64.
	HDR string `json:"hdr"`
}

type wireQuantiles struct {
	Mean seconds `json:"mean"`
	P50  seconds `json:"p50"`
	P90  seconds `json:"p90"`
	P95  seconds `json:"p95"`
	P99  seconds `json:"p99"`
	P999 seconds `json:"p99.9"`
	Max  seconds `json:"max"`
}

// seconds is a duration written as decimal seconds, exact to the nanosecond.
type seconds time.Duration

// maxSeconds is the limit to which a float64 is exact to the nanosecond: 2^53 ns are 104 days.
const maxSeconds = 8_640_000

// MarshalJSON writes no exponent and no trailing zeros. A value out of range is written as the
// nearest one in range.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, min(max(float64(s)/1e9, 0), maxSeconds), 'f', -1, 64), nil
}

// UnmarshalJSON reads decimal seconds.
func (s *seconds) UnmarshalJSON(data []byte) error {
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil || !(f >= 0 && f <= maxSeconds) {
		return fmt.Errorf("time %.20q is not a number of seconds between 0 and %d", data, maxSeconds)
	}
	*s = seconds(math.Round(f * 1e9))
	return nil
}

// WriteDocument writes the results as JSON, for [ReadDocument]. Equal results have equal bytes. It
// computes the plan's digest if it is not known.
func (r *Results) WriteDocument(w io.Writer) error {
	d, err := r.document()
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

func (l *Results) document() (*document, error) {
	o := &l.origin
	d := &document{
		Format: Format, Workload: o.workload, Elapsed: seconds(l.Elapsed()), Unsent: l.Run.Unsent, Stopped: l.Stopped,
		Workers: l.Run.Workers, Peak: l.Run.Peak, Saturated: l.Run.Saturated, NotSent: l.NotSent, Errors: l.Errors,
		Plan:   wirePlan{Digest: l.Digest(), Seed: o.seed, Duration: seconds(o.duration), Cohorts: o.cohorts},
		Shards: wireShards{Of: o.shards.of, Have: o.shards.have}, Cells: []wireCell{},
	}
	for _, r := range o.routes {
		d.Plan.Routes = append(d.Plan.Routes, wireRoute{r.Name, r.Path, seconds(r.Slow)})
	}
	if !l.Run.Start.IsZero() {
		start := l.Run.Start.UTC().Round(0)
		d.Begin = &start
	}
	var err error
	if d.Lag, err = l.Lag.wire(); err != nil {
		return nil, err
	}
	for c := range l.Cells() {
		wire, err := c.wire()
		if err != nil {
			return nil, err
		}
		d.Cells = append(d.Cells, wire)
	}
	d.Totals, err = l.Sum(nil).wire()
	return d, err
}

func (c *Cell) wire() (wireCell, error) {
	times, err := c.Latency.wire()
	return wireCell{
		Cohort: c.Cohort, Route: c.Route, Version: c.Version, Requests: c.Requests, Attempts: c.Attempts,
		Failed: c.Failed, Denied: c.Denied, Limited: c.Limited, Refused: c.Refused, Slow: c.Slow, Wrong: c.Wrong,
		Bad: c.Bad, Hit: c.Hit, Harm: c.Harm, Failures: c.Failures, Statuses: c.Statuses, Bytes: c.Bytes,
		Latency: times,
	}, err
}

func (l *Latencies) wire() (wireTimes, error) {
	hdr, err := l.HDR.EncodeV2()
	q := func(q float64) seconds { return seconds(l.Quantile(q)) }
	return wireTimes{
		Seconds: wireQuantiles{Mean: seconds(l.Mean()), P50: q(0.5), P90: q(0.9), P95: q(0.95), P99: q(0.99),
			P999: q(0.999),
			Max:  seconds(l.Max())},
		Clamped: l.Clamped, SumUS: l.sum, MaxUS: l.largest, HDR: string(hdr),
	}, err
}
