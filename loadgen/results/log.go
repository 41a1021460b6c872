package results

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// WriteLog writes the latency histograms as an HDR histogram log, version 1.3 (HistogramLogReader
// and HistogramLogProcessor in HdrHistogram/HdrHistogram; hdrhistogram-go, hdr-histogram-js and
// others read it too). It has one interval without a tag for the whole load, which tools show by
// default, then one for each cell, tagged cohort/route/version. Values are in µs, so
// HistogramLogProcessor prints milliseconds with -outputValueUnitRatio 1000; the maximum next to a
// histogram is in ms.
func (r *Results) WriteLog(w io.Writer) error {
	b := bufio.NewWriter(w)
	start := r.Run.Start
	if start.IsZero() {
		start = time.Unix(0, 0)
	}
	since := float64(start.UnixMilli()) / 1000
	fmt.Fprintf(b, "#[coalmine load: %s, seed %d, shards %s; values in microseconds]\n",
		escape(r.origin.workload), r.origin.seed, r.origin.shards)
	fmt.Fprintf(b, "#[Histogram log format version 1.3]\n")
	fmt.Fprintf(b, "#[StartTime: %.3f (seconds since epoch), %s]\n", since, start.UTC().Format(time.UnixDate))
	fmt.Fprintf(b, "#[BaseTime: %.3f (seconds since epoch)]\n", since)
	fmt.Fprintf(b, "%s\n", `"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"`)
	if err := r.writeInterval(b, "", r.Sum(nil)); err != nil {
		return err
	}
	for c := range r.Cells() {
		if err := r.writeInterval(b, "Tag="+c.tag()+",", c); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write histogram log: %w", err)
	}
	return nil
}

func (r *Results) writeInterval(b *bufio.Writer, tag string, c *Cell) error {
	if c.Requests == 0 {
		return nil
	}
	hdr, err := c.Latency.HDR.EncodeV2()
	if err != nil {
		return fmt.Errorf("write histogram log: %s%w", tag, err)
	}
	fmt.Fprintf(b, "%s0.000,%.3f,%.3f,%s\n", tag, r.Elapsed().Seconds(), float64(c.Latency.largest)/1000, hdr)
	return nil
}

// tag names a cell in the log. A missing version is "none".
func (c *Cell) tag() string {
	version := c.Version
	if version == "" {
		version = "none"
	}
	return escape(c.Cohort) + "/" + escape(c.Route) + "/" + escape(version)
}

// escape percent-encodes what would end or split a tag: tags contain no comma, space or line break.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ',' || r == '/' || r == '%' || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
