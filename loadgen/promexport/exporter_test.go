package promexport

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"coalmine/loadgen"
)

func newExposer(t testing.TB, routes int) *Exporter {
	t.Helper()
	w := loadgen.Workload{Rate: loadgen.Curve{Constant: 10}, Cohorts: []loadgen.Cohort{
		{Name: "regular", Share: 0.5, Mix: map[string]float64{"r0": 1}},
		{Name: "premium", Share: 0.5, Mix: map[string]float64{"r0": 1}}}}
	for i := range routes {
		w.Routes = append(w.Routes, loadgen.Route{Name: fmt.Sprint("r", i), Path: fmt.Sprint("/", i)})
	}
	p, err := loadgen.NewPlan(w, 42, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return New(p)
}

func outcome(change ...func(*loadgen.Outcome)) *loadgen.Outcome {
	o := &loadgen.Outcome{Final: true, Status: 200, Latency: 20 * time.Millisecond, Sent: 30 * time.Microsecond,
		Version: "v1"}
	for _, c := range change {
		c(o)
	}
	return o
}

func status(code uint16) func(*loadgen.Outcome) { return func(o *loadgen.Outcome) { o.Status = code } }
func retried(o *loadgen.Outcome)                { o.Final = false }
func premium(o *loadgen.Outcome)                { o.Arrival.Cohort = 1 }

// scrape sends a request with an Accept header.
func scrape(t testing.TB, e *Exporter, accept string) (contentType, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Header().Get("Content-Type"), w.Body.String()
}

// protobuf is the Accept header of a Prometheus that reads native histograms.
const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

// families decodes a scrape in protocol buffers.
func families(t testing.TB, e *Exporter) map[string]*dto.MetricFamily {
	t.Helper()
	contentType, body := scrape(t, e, protobuf)
	format := expfmt.ResponseFormat(http.Header{"Content-Type": {contentType}})
	if format.FormatType() != expfmt.TypeProtoDelim {
		t.Fatalf("answer is %s", contentType)
	}
	all := map[string]*dto.MetricFamily{}
	for d := expfmt.NewDecoder(strings.NewReader(body), format); ; {
		var f dto.MetricFamily
		if err := d.Decode(&f); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[f.GetName()] = &f
	}
}

// values returns the counters of a family by the values of their labels.
func values(f *dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, m := range f.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		all[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() +
			float64(m.GetHistogram().GetSampleCount())
	}
	return all
}

func want(t *testing.T, f *dto.MetricFamily, want map[string]float64) {
	t.Helper()
	got := values(f)
	if len(got) != len(want) {
		t.Errorf("%s has %v, want %v", f.GetName(), got, want)
	}
	for labels, n := range want {
		if got[labels] != n {
			t.Errorf("%s{%s} is %v, want %v", f.GetName(), labels, got[labels], n)
		}
	}
}

func TestCounts(t *testing.T) {
	e := newExposer(t, 1)
	for _, o := range []*loadgen.Outcome{
		outcome(), outcome(), outcome(status(302)), outcome(status(503), premium, retried),
		outcome(status(204), premium),
		outcome(status(0), func(o *loadgen.Outcome) {
			o.Failure, o.Version = loadgen.FailureReset, ""
		}), outcome(status(999)), outcome(status(403)),
		outcome(status(0), func(o *loadgen.Outcome) { o.Failure = loadgen.FailureStopped }),
	} {
		e.Add(o)
	}
	all := families(t, e)
	want(t, all["coalmine_load_requests_total"], map[string]float64{
		"code=2xx cohort=regular route=r0 version=v1": 2, "code=3xx cohort=regular route=r0 version=v1": 1,
		"code=4xx cohort=regular route=r0 version=v1": 1, "code=5xx cohort=regular route=r0 version=v1": 1,
		"code=none cohort=regular route=r0 version=": 1, "code=2xx cohort=premium route=r0 version=v1": 1,
	})
	want(t, all["coalmine_load_attempts_total"], map[string]float64{
		"code=2xx cohort=regular route=r0 version=v1": 2, "code=3xx cohort=regular route=r0 version=v1": 1,
		"code=4xx cohort=regular route=r0 version=v1": 1, "code=5xx cohort=regular route=r0 version=v1": 1,
		"code=none cohort=regular route=r0 version=": 1, "code=2xx cohort=premium route=r0 version=v1": 1,
		"code=5xx cohort=premium route=r0 version=v1": 1,
	})
	want(t, all["coalmine_load_latency_seconds"], map[string]float64{
		"cohort=regular route=r0 version=v1": 5, "cohort=regular route=r0 version=": 1,
		"cohort=premium route=r0 version=v1": 1,
	})
	want(t, all["coalmine_load_schedule_error_seconds"], map[string]float64{"": 8})
	want(t, all["coalmine_load_info"], map[string]float64{"duration=1m0s seed=42": 1})
}

// A native histogram is accurate to a tenth; the classic one next to it has all values too.
func TestNativeHistograms(t *testing.T) {
	e := newExposer(t, 1)
	for i := range 1000 {
		e.Add(outcome(func(o *loadgen.Outcome) { o.Latency = time.Duration(i+1) * time.Millisecond }))
	}
	all := families(t, e)
	h := all["coalmine_load_latency_seconds"].GetMetric()[0].GetHistogram()
	if h.Schema == nil || len(h.GetPositiveSpan()) == 0 {
		t.Fatalf("no native histogram: %v", h)
	}
	if growth := math.Pow(2, math.Pow(2, -float64(h.GetSchema()))); growth > 1.1 {
		t.Errorf("bounds grow by %v", growth)
	}
	if n := len(h.GetPositiveDelta()); n > nativeBuckets || n < 50 {
		t.Errorf("%d native buckets", n)
	}
	last := h.GetBucket()[len(h.GetBucket())-1]
	if len(h.GetBucket()) != len(latencyBounds()) || last.GetCumulativeCount() != 1000 || h.GetSampleCount() != 1000 {
		t.Errorf("%d classic buckets, %d of %d values up to the last", len(h.GetBucket()), last.GetCumulativeCount(),
			h.GetSampleCount())
	}
	if h := all["coalmine_load_schedule_error_seconds"].GetMetric()[0].GetHistogram(); h.Schema == nil ||
		h.GetSampleSum() < 0.0299 || h.GetSampleSum() > 0.0301 {
		t.Errorf("schedule error: %v", h)
	}
}

// Values over nine decades are merged into the allowed number of buckets, and none is lost.
func TestNativeBucketsAreBounded(t *testing.T) {
	e := newExposer(t, 1)
	const n = 5000
	for i := range n {
		e.Add(outcome(func(o *loadgen.Outcome) { o.Latency = time.Duration(1e3 * math.Pow(1e9, float64(i)/n)) }))
	}
	h := families(t, e)["coalmine_load_latency_seconds"].GetMetric()[0].GetHistogram()
	if len(h.GetPositiveDelta()) > nativeBuckets || h.GetSampleCount() != n {
		t.Errorf("%d buckets, %d values", len(h.GetPositiveDelta()), h.GetSampleCount())
	}
}

func TestTextFormat(t *testing.T) {
	e := newExposer(t, 1)
	e.Add(outcome())
	contentType, body := scrape(t, e, "")
	if !strings.HasPrefix(contentType, "text/plain") {
		t.Errorf("content type %s", contentType)
	}
	for _, line := range []string{
		`coalmine_load_requests_total{code="2xx",cohort="regular",route="r0",version="v1"} 1`,
		`coalmine_load_latency_seconds_bucket{cohort="regular",route="r0",version="v1",le="0.01"} 0`,
		`coalmine_load_latency_seconds_bucket{cohort="regular",route="r0",version="v1",le="0.025"} 1`,
		`coalmine_load_schedule_error_seconds_bucket{le="5e-05"} 1`,
		`coalmine_load_info{duration="1m0s",seed="42"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %s in:\n%s", line, body)
		}
	}
}

func TestMetricNamesPassLint(t *testing.T) {
	e := newExposer(t, 1)
	e.Add(outcome())
	var list []*dto.MetricFamily
	for _, f := range families(t, e) {
		list = append(list, f)
	}
	problems, err := promlint.NewWithMetricFamilies(list).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, error %v", problems, err)
	}
	if len(list) != 5 {
		t.Errorf("%d metrics", len(list))
	}
}

func TestSeriesAreBounded(t *testing.T) {
	e := newExposer(t, 100)
	for i := range 100 * 100 {
		e.Add(outcome(func(o *loadgen.Outcome) { o.Arrival.Route, o.Version = uint16(i/100), fmt.Sprint("v", i%100) }))
	}
	e.Add(outcome(func(o *loadgen.Outcome) { o.Version = "\x1b[2J\xff" }))
	latency := values(families(t, e)["coalmine_load_latency_seconds"])
	sum := 0.0
	for _, n := range latency {
		sum += n
	}
	if len(latency) != maxSeries+1 || sum != 10_001 || latency["cohort=other route=other version=other"] == 0 ||
		latency["cohort=regular route=r0 version=other"] != 69 {
		t.Errorf("%d series of %v values, %v in the last, %v for other versions", len(latency), sum,
			latency["cohort=other route=other version=other"], latency["cohort=regular route=r0 version=other"])
	}
}

func TestDefaultRegistryIsUnused(t *testing.T) {
	e := newExposer(t, 1)
	e.Add(outcome())
	newExposer(t, 1) // a second exporter does not clash with the first
	list, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if strings.HasPrefix(f.GetName(), "coalmine") {
			t.Errorf("%s is in the default registry", f.GetName())
		}
	}
}

// Scrapes happen while outcomes are added. Their counts only grow.
func TestScrapesWhileCounting(t *testing.T) {
	e := newExposer(t, 3)
	const n = 3000
	done := make(chan struct{})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for last := uint64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				now := uint64(0)
				for _, m := range families(t, e)["coalmine_load_schedule_error_seconds"].GetMetric() {
					now = m.GetHistogram().GetSampleCount()
				}
				if now < last {
					t.Errorf("%d attempts after %d", now, last)
				}
				last = now
			}
		})
	}
	for i := range n {
		e.Add(outcome(status(uint16(i%7*100)), func(o *loadgen.Outcome) {
			o.Arrival.Route, o.Version = uint16(i%3), fmt.Sprint("v", i/500)
		}))
	}
	close(done)
	wait.Wait()
	if got := values(families(t, e)["coalmine_load_schedule_error_seconds"])[""]; got != n {
		t.Errorf("%v attempts, want %d", got, n)
	}
}

func traffic(n int) []loadgen.Outcome {
	list := make([]loadgen.Outcome, n)
	for i := range list {
		h := uint64(i) * 0x9e3779b97f4a7c15 >> 40
		list[i] = *outcome(func(o *loadgen.Outcome) {
			o.Arrival.Cohort, o.Arrival.Route = uint16(h%2), uint16(h/2%3)
			o.Latency = time.Duration(1000+h%100*(h/100%100)*(h/10_000%100)) * time.Microsecond
			o.Sent = time.Duration(h%50) * time.Microsecond
			if h%11 == 0 {
				o.Version, o.Status = "v2-faulty", 503
			}
		})
	}
	return list
}

func TestAddDoesNotAllocate(t *testing.T) {
	e, list := newExposer(t, 3), traffic(1000)
	add := func() {
		for i := range list {
			e.Add(&list[i])
		}
	}
	add()
	if n := testing.AllocsPerRun(10, add); n != 0 {
		t.Errorf("%v allocations for %d outcomes", n, len(list))
	}
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkAdd(b *testing.B) {
	e, list := newExposer(b, 3), traffic(1<<16)
	b.ReportAllocs()
	begin := cpuTime(b)
	for i := 0; b.Loop(); i++ {
		e.Add(&list[i%len(list)])
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}
