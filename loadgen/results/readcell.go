package results

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// read converts a cell and checks that its counts are consistent.
func (w wireCell) read() (*Cell, error) {
	c := &Cell{Cohort: w.Cohort, Route: w.Route, Version: w.Version, Requests: w.Requests, Attempts: w.Attempts,
		Failed: w.Failed, Denied: w.Denied, Limited: w.Limited, Refused: w.Refused, Slow: w.Slow, Wrong: w.Wrong,
		Bad: w.Bad, Hit: w.Hit, Harm: w.Harm, Bytes: w.Bytes, Failures: map[string]int64{},
		Statuses: map[uint16]int64{}}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, why := range slices.Sorted(maps.Keys(w.Failures)) {
		if knownFailure(why) != why {
			return nil, fmt.Errorf("failures: %.30q is not a known reason", why)
		}
		if err := within(bound{"failures." + why, w.Failures[why], c.Failed - c.NoAnswer()}); err != nil {
			return nil, err
		}
		c.Failures[why] = w.Failures[why]
	}
	var err error
	if c.Latency, err = w.Latency.read(); err != nil {
		return nil, fmt.Errorf("latency.%w", err)
	}
	if n := c.Latency.Count(); n != c.Requests {
		return nil, fmt.Errorf("latency.hdr: has %d times for %d requests", n, c.Requests)
	}
	return c, c.readStatuses(w.Statuses)
}

// readStatuses reads the counts by status, which must agree with the others. There are none in
// format 1.
func (c *Cell) readStatuses(statuses map[uint16]int64) error {
	if len(statuses) == 0 {
		return nil
	}
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		if status == 0 || status > 999 {
			return fmt.Errorf("statuses: %d is not a status", status)
		}
		if err := within(bound{fmt.Sprintf("statuses.%d", status), statuses[status], c.Requests}); err != nil {
			return err
		}
		c.Statuses[status] = statuses[status]
	}
	clientErrors, known := c.Answered(400, 499)
	serverErrors, _ := c.Answered(500, 999)
	if !known || clientErrors != c.Denied+c.Limited+c.Refused || serverErrors != c.Failed-c.NoAnswer() ||
		c.Statuses[403] != c.Denied || c.Statuses[429] != c.Limited {
		return errors.New("statuses: contradict the other counts")
	}
	return nil
}

func (c *Cell) check() error {
	status := c.Failed
	if err := within(
		bound{"attempts", c.Attempts, maxCount}, bound{"requests", c.Requests, c.Attempts},
		bound{"failed", c.Failed, c.Requests},
		bound{"denied", c.Denied, c.Requests - c.Failed},
		bound{"limited", c.Limited, c.Requests - c.Failed - c.Denied},
		bound{"refused", c.Refused, c.Requests - c.Failed - c.Denied - c.Limited},
		bound{"slow", c.Slow, c.Requests}, bound{"wrong", c.Wrong, c.Requests}, bound{"hit", c.Hit, c.Requests},
		bound{"bad", c.Bad, c.Requests}, bound{"harm", c.Harm, min(c.Hit, c.Bad)}, bound{"bytes", c.Bytes, maxCount},
	); err != nil {
		return err
	}
	status += c.Denied + c.Limited
	if least := max(status, c.Slow, c.Wrong); c.Bad < least || c.Bad-status > c.Slow+c.Wrong {
		return fmt.Errorf("bad: %d contradicts failed, denied, limited, slow and wrong", c.Bad)
	}
	if c.Harm < c.Hit+c.Bad-c.Requests {
		return fmt.Errorf("harm: %d of %d hit and %d bad among %d requests is too few", c.Harm, c.Hit,
			c.Bad, c.Requests)
	}
	return nil
}

// equal reports whether all counts are equal.
func (c *Cell) equal(o *Cell) bool {
	counts := o.counts()
	for i, n := range c.counts() {
		if *n != *counts[i] {
			return false
		}
	}
	return maps.Equal(c.Failures, o.Failures) && maps.Equal(c.Statuses, o.Statuses) && c.Latency.equal(&o.Latency)
}

func (l *Latencies) equal(o *Latencies) bool {
	a, errA := l.HDR.EncodeV2()
	b, errB := o.HDR.EncodeV2()
	return l.Clamped == o.Clamped && l.sum == o.sum && l.largest == o.largest && errors.Join(errA, errB) == nil &&
		bytes.Equal(a, b)
}

// read converts latencies and checks that sum and maximum are consistent with the histogram.
func (w wireTimes) read() (Latencies, error) {
	hdr, err := decode(w.HDR)
	if err != nil {
		return Latencies{}, fmt.Errorf("hdr: %w", err)
	}
	l := Latencies{HDR: hdr, Clamped: w.Clamped, sum: w.SumUS, largest: w.MaxUS}
	if err := within(bound{"hdr", l.Count(), maxCount}, bound{"clamped", l.Clamped, l.Count()},
		bound{"sum_us", l.sum, maxCount},
		bound{"max_us", l.largest, highest}); err != nil {
		return Latencies{}, err
	}
	low, high, last := 0.0, 0.0, int64(0)
	for value, n := range hdr.ForEachBucket {
		low, high, last = low+float64(value)*float64(n), high+float64(bucketHigh(value))*float64(n), value
	}
	// Sums of floats are inexact.
	const slack = 1e-9
	if sum := float64(l.sum); sum < low*(1-slack) || sum > high*(1+slack) {
		return Latencies{}, fmt.Errorf("sum_us: %d is not between %.0f and %.0f, as hdr implies", l.sum, low, high)
	}
	if l.largest < last || l.Count() > 0 && l.largest > bucketHigh(last) || l.Count() == 0 && l.largest > 0 {
		return Latencies{}, fmt.Errorf("max_us: %d is not in the last bucket of hdr, which starts at %d",
			l.largest, last)
	}
	return l, nil
}

// maxHDR exceeds the size of all buckets: 9 bytes each, barely compressed, in base64.
const maxHDR = 400_000

// decode reads a histogram with this package's parameters. It checks the header first, so that a
// malicious one cannot cause large allocations.
func decode(text string) (*hdrhistogram.PackedHistogram, error) {
	if len(text) > maxHDR {
		return nil, fmt.Errorf("has %d bytes; the maximum is %d", len(text), maxHDR)
	}
	if err := checkGeometry(text); err != nil {
		return nil, err
	}
	return hdrhistogram.DecodePacked([]byte(text))
}

// Offsets in the header of the V2 encoding, which is compressed and follows 8 bytes
// (AbstractHistogram.encodeIntoByteBuffer in HdrHistogram/HdrHistogram).
const (
	outerHeader = 8
	innerHeader = 40
	atDigits    = 12
	atLowest    = 16
	atHighest   = 24
)

func checkGeometry(text string) error {
	raw := base64.NewDecoder(base64.StdEncoding, strings.NewReader(text))
	if _, err := io.CopyN(io.Discard, raw, outerHeader); err != nil {
		return fmt.Errorf("is not a base64 histogram: %w", err)
	}
	z, err := zlib.NewReader(raw)
	if err != nil {
		return fmt.Errorf("is not a compressed histogram: %w", err)
	}
	var h [innerHeader]byte
	if _, err := io.ReadFull(z, h[:]); err != nil {
		return fmt.Errorf("is not a compressed histogram: %w", err)
	}
	d := int32(binary.BigEndian.Uint32(h[atDigits:]))
	low, high := int64(binary.BigEndian.Uint64(h[atLowest:])), int64(binary.BigEndian.Uint64(h[atHighest:]))
	if d != digits || low != lowest || high != highest {
		return fmt.Errorf("covers %d to %d with %d digits instead of %d to %d µs with %d", low, high, d, lowest,
			highest, digits)
	}
	return nil
}
