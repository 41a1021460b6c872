package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	kjson "sigs.k8s.io/json"

	"coalmine/loadgen"
	"coalmine/loadgen/cardinality"
)

// Limits of a document. Results of a thousand cells with wide histograms take about ten megabytes.
const (
	maxDocument = 64 << 20
	maxShards   = 1 << 16
	maxNames    = 1000 // of cohorts and routes, as in a workload
	// maxCount is the largest integer that JSON parsers of other languages read exactly. 2^53 µs
	// are 285 years.
	maxCount = 1 << 53
)

// Document is a set of results with the name of its file.
type Document struct {
	Name    string
	Results *Results
}

// ReadDocument reads what [Results.WriteDocument] wrote. Errors start with the name and say which
// field is wrong: the document may have another format, be too large or truncated, or have numbers
// that contradict each other.
func ReadDocument(name string, r io.Reader) (Document, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return Document{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxDocument {
		return Document{}, fmt.Errorf("%s: is over %d MiB: not a result file of coalmine load", name, maxDocument>>20)
	}
	l, err := parseDocument(data)
	if err != nil {
		return Document{}, fmt.Errorf("%s: %w", name, err)
	}
	return Document{name, l}, nil
}

func parseDocument(data []byte) (*Results, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("is not a result file of coalmine load: %w", err)
	}
	switch {
	case head.Format < 1:
		return nil, errors.New("has no format number: not a result file of coalmine load")
	case head.Format > Format:
		return nil, fmt.Errorf("has format %d, but this version of coalmine reads only up to %d: use a newer version",
			head.Format, Format)
	}
	var d document
	strict, err := kjson.UnmarshalStrict(data, &d)
	if err != nil {
		return nil, err
	}
	if len(strict) > 0 {
		return nil, strict[0]
	}
	return d.results()
}

// results converts and validates a document.
func (d *document) results() (*Results, error) {
	o, err := d.origin()
	if err != nil {
		return nil, err
	}
	l := newResults(o)
	l.Run = Run{Elapsed: time.Duration(d.Elapsed), Unsent: d.Unsent, Workers: d.Workers, Peak: d.Peak,
		Saturated: d.Saturated}
	l.Stopped = d.Stopped
	if d.Begin != nil {
		l.Run.Start = d.Begin.UTC()
	}
	if err := within(bound{"unsent", d.Unsent, maxCount}, bound{"stopped", d.Stopped, maxCount},
		bound{"workers", d.Workers, maxCount}, bound{"peak", d.Peak, maxCount}); err != nil {
		return nil, err
	}
	if err := d.readErrors(l); err != nil {
		return nil, err
	}
	if err := d.readCells(l); err != nil {
		return nil, err
	}
	if l.Lag, err = d.Lag.read(); err != nil {
		return nil, fmt.Errorf("schedule_error.%w", err)
	}
	sum := l.Sum(nil)
	if l.Lag.Count() != sum.Attempts {
		return nil, fmt.Errorf("schedule_error.hdr: has %d times for %d attempts", l.Lag.Count(), sum.Attempts)
	}
	totals, err := d.Totals.read()
	if err != nil {
		return nil, fmt.Errorf("totals.%w", err)
	}
	if !totals.equal(sum) {
		return nil, errors.New("totals: are not the sum of the cells")
	}
	return l, nil
}

// maxErrorText limits an error text of a document.
const maxErrorText = 4 << 10

// readErrors reads why attempts were not sent or had no response.
func (d *document) readErrors(r *Results) error {
	for why, n := range d.NotSent {
		if !loadgen.LocalFailure(why) {
			return fmt.Errorf("not_sent: %.30q is not a known reason", why)
		}
		if err := within(bound{"not_sent." + why, n, maxCount}); err != nil {
			return err
		}
		r.NotSent[why] = n
	}
	if len(d.Errors) > maxErrorTexts+1 {
		return fmt.Errorf("errors: has %d entries; the maximum is %d", len(d.Errors), maxErrorTexts+1)
	}
	for text, n := range d.Errors {
		if text == "" || len(text) > maxErrorText {
			return fmt.Errorf("errors: a text is empty or longer than %d bytes", maxErrorText)
		}
		if err := within(bound{"errors", n, maxCount}); err != nil {
			return err
		}
		r.Errors[text] = n
	}
	return nil
}

func (d *document) readCells(r *Results) error {
	if len(d.Cells) > maxCells+1 {
		return fmt.Errorf("cells: has %d entries; the maximum is %d", len(d.Cells), maxCells+1)
	}
	for i, wire := range d.Cells {
		k, err := r.origin.key(wire)
		if err != nil {
			return fmt.Errorf("cells[%d].%w", i, err)
		}
		c, err := wire.read()
		if err != nil {
			return fmt.Errorf("cells[%d].%w", i, err)
		}
		if r.cells[k] != nil {
			return fmt.Errorf("cells[%d]: cohort %q, route %q, version %q is a duplicate", i, c.Cohort,
				c.Route, c.Version)
		}
		r.cells[k] = c
	}
	return nil
}

func (d *document) origin() (origin, error) {
	o := origin{workload: d.Workload, digest: d.Plan.Digest, seed: d.Plan.Seed,
		duration: time.Duration(d.Plan.Duration),
		cohorts:  d.Plan.Cohorts, shards: shardSet{of: d.Shards.Of, have: d.Shards.Have}}
	for _, r := range d.Plan.Routes {
		o.routes = append(o.routes, Route{r.Name, r.Path, time.Duration(r.Slow)})
	}
	return o, errors.Join(o.check(), o.shards.check())
}

func (o *origin) check() error {
	if len(o.digest) != 64 {
		return fmt.Errorf("plan.digest: %.70q is not a SHA-256", o.digest)
	}
	routes := make([]string, len(o.routes))
	for i, r := range o.routes {
		routes[i] = r.Name
	}
	for what, names := range map[string][]string{"plan.cohorts": o.cohorts, "plan.routes": routes} {
		if len(names) == 0 || len(names) > maxNames {
			return fmt.Errorf("%s: has %d entries; the range is 1 to %d", what, len(names), maxNames)
		}
		sorted := slices.Sorted(slices.Values(names))
		if len(slices.Compact(sorted)) < len(names) || slices.Contains(names, "") {
			return fmt.Errorf("%s: a name is empty or a duplicate", what)
		}
	}
	return nil
}

func (s shardSet) check() error {
	if s.of < 1 || s.of > maxShards {
		return fmt.Errorf("shards.of: %d is not between 1 and %d", s.of, maxShards)
	}
	last := 0
	for _, i := range s.have {
		if i <= last || i > s.of {
			return fmt.Errorf("shards.have: %d after %d; want ascending numbers up to %d", i, last, s.of)
		}
		last = i
	}
	if last == 0 {
		return errors.New("shards.have: is empty")
	}
	return nil
}

// key returns the indices of a cell's names.
func (o *origin) key(c wireCell) (key, error) {
	k := key{cohort: len(o.cohorts), route: len(o.routes), version: c.Version}
	if i := slices.Index(o.cohorts, c.Cohort); i >= 0 {
		k.cohort = i
	} else if c.Cohort != cardinality.Other {
		return k, fmt.Errorf("cohort: %.70q is not in plan.cohorts", c.Cohort)
	}
	if i := slices.IndexFunc(o.routes, func(r Route) bool { return r.Name == c.Route }); i >= 0 {
		k.route = i
	} else if c.Route != cardinality.Other {
		return k, fmt.Errorf("route: %.70q is not in plan.routes", c.Route)
	}
	if !cardinality.Valid(c.Version) {
		return k, fmt.Errorf("version: %.70q is too long or contains unprintable characters", c.Version)
	}
	return k, nil
}

// bound is a number of a document and its maximum; the minimum is 0.
type bound struct {
	name    string
	n, most int64
}

func within(bounds ...bound) error {
	for _, b := range bounds {
		if b.n < 0 || b.n > b.most {
			return fmt.Errorf("%s: %d is not between 0 and %d", b.name, b.n, b.most)
		}
	}
	return nil
}
