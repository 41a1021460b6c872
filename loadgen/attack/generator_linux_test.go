package attack_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/HdrHistogram/hdrhistogram-go"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/pacer"
	"coalmine/loadgen/promexport"
	"coalmine/loadgen/results"
)

// Generators.
const (
	ours = "ours"
	// even is vegeta's library with its own pacer of even intervals.
	even = "even"
	// poisson is vegeta's library with a pacer of Poisson arrivals. Vegeta does the waiting.
	poisson = "poisson"
	// precise is poisson with the waits of package pacer.
	precise = "precise"
)

// generatorOrder is one run of a generator.
type generatorOrder struct {
	URL, Who string
	// Rate is per second; 0 is as fast as possible.
	Rate     float64
	Requests int
	Workers  int
	// Stamp records when each request is written to its connection.
	Stamp bool
}

// figures are the results of a run.
type figures struct {
	Requests, Failures int
	// CPU time of the process from the first request to the last response.
	CPU time.Duration
	// P99 is the latency that the generator reports.
	P99 time.Duration
	// Intended and Written are the times of the requests on the shared clock, ordered by number.
	Intended, Written []int64
}

func (o *generatorOrder) run() error {
	attack := o.stock
	if o.Who == ours {
		attack = o.ours
	}
	f, err := attack()
	if err != nil {
		return err
	}
	return tell(f)
}

// ours plays a plan and collects everything.
func (o *generatorOrder) ours() (figures, error) {
	var f figures
	rate := o.Rate
	if rate == 0 {
		rate = 1e6
	}
	p, err := loadgen.NewPlan(one(rate, "GET"), 1, time.Duration(float64(o.Requests)/rate*1e9))
	if err != nil {
		return f, err
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return f, err
	}
	log := newStamps(o, "Coalmine-Request: seq=")
	book, metrics := results.New(results.Config{Plan: p}), promexport.New(p)
	a := attack.Attack{Plan: p, Targets: []*url.URL{u}, Workers: o.Workers, Done: func(out *loadgen.Outcome) {
		book.Add(out)
		metrics.Add(out)
		f.count(int(out.Status))
	}}
	if o.Stamp {
		a = attack.Observe(a, log.wrap)
	}
	before := cpu()
	report, err := a.Run(context.Background())
	f.CPU = cpu() - before
	begin := monotonic() - int64(time.Since(report.Start))
	for c := p.Arrivals(); o.Rate > 0; {
		next, ok := c.Next()
		if !ok {
			break
		}
		f.Intended = append(f.Intended, begin+int64(next.At))
	}
	f.Written = log.list
	f.P99 = book.Sum(nil).Latency.Quantile(0.99)
	return f, err
}

func (f *figures) count(status int) {
	f.Requests++
	if status != http.StatusOK {
		f.Failures++
	}
}

// stock is vegeta's library with its defaults, except for the number of workers.
func (o *generatorOrder) stock() (figures, error) {
	var f figures
	pacer, err := o.pacer()
	if err != nil {
		return f, err
	}
	defer pacer.timer.Close()
	log := newStamps(o, "X-Vegeta-Seq: ")
	options := []func(*vegeta.Attacker){vegeta.MaxWorkers(uint64(o.Workers))}
	if o.Stamp {
		options = append(options, vegeta.Client(log.client()))
	}
	attacker := vegeta.NewAttacker(options...)
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: o.URL + "/"})
	latency := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
	before := cpu()
	for res := range attacker.Attack(target, pacer, 0, "") {
		f.count(int(res.Code))
		_ = latency.RecordValue(int64(res.Latency / time.Microsecond))
	}
	f.CPU = cpu() - before
	begin := monotonic() - int64(time.Since(pacer.began))
	for _, at := range pacer.times {
		f.Intended = append(f.Intended, begin+int64(at))
	}
	f.Written = log.list
	f.P99 = time.Duration(latency.ValueAtQuantile(99)) * time.Microsecond
	return f, nil
}

// pacer wraps another pacer until all requests are sent.
type testPacer struct {
	vegeta.Pacer
	hits  uint64
	times []time.Duration // nil for as fast as possible
	began time.Time
	timer *pacer.Timer
	// waits makes this pacer wait precisely, instead of vegeta.
	waits bool
}

func (o *generatorOrder) pacer() (*testPacer, error) {
	timer, err := pacer.NewTimer()
	if err != nil {
		return nil, err
	}
	p := &testPacer{timer: timer, hits: uint64(o.Requests), waits: o.Who == precise}
	if o.Who == even {
		p.Pacer = vegeta.ConstantPacer{Freq: int(o.Rate), Per: time.Second}
	}
	draws, at := rand.New(rand.NewPCG(1, 2)), 0.0
	for i := 0; i < o.Requests && o.Rate > 0; i++ {
		if at += draws.ExpFloat64() / o.Rate; o.Who == even {
			at = float64(i+1) / o.Rate
		}
		p.times = append(p.times, time.Duration(at*1e9))
	}
	return p, nil
}

// Pace records when the attack started.
func (p *testPacer) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	if p.began.IsZero() {
		p.began = time.Now().Add(-elapsed)
	}
	switch {
	case hits >= p.hits:
		return 0, true
	case p.Pacer != nil:
		return p.Pacer.Pace(elapsed, hits)
	case p.waits:
		return 0, p.timer.Wait(context.Background(), p.began.Add(p.times[hits])) != nil
	}
	return p.times[hits] - elapsed, false
}

func (p *testPacer) Rate(time.Duration) float64 { return 0 }

// stamps records when requests are written, by the number in one of their headers.
type stamps struct {
	before []byte
	list   []int64
}

func newStamps(o *generatorOrder, before string) *stamps {
	s := &stamps{before: []byte(before)}
	if o.Stamp {
		n := float64(o.Requests)
		s.list = make([]int64, int(n+10*math.Sqrt(n)+10))
	}
	return s
}

func (s *stamps) wrap(c net.Conn) net.Conn { return stamped{c, s} }

// client is vegeta's default client with observed connections.
func (s *stamps) client() *http.Client {
	dialer := net.Dialer{KeepAlive: 30 * time.Second}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return s.wrap(c), nil
	}
	transport := &http.Transport{MaxIdleConnsPerHost: vegeta.DefaultConnections, DialContext: dial}
	return &http.Client{Timeout: vegeta.DefaultTimeout, Transport: transport}
}

// stamped is a connection whose writes are recorded.
type stamped struct {
	net.Conn
	stamps *stamps
}

func (c stamped) Write(p []byte) (int, error) {
	now := monotonic()
	if _, rest, ok := bytes.Cut(p, c.stamps.before); ok {
		end := slices.IndexFunc(rest, func(b byte) bool { return b < '0' || b > '9' })
		if n, err := strconv.Atoi(string(rest[:max(end, 0)])); err == nil && n < len(c.stamps.list) {
			c.stamps.list[n] = now
		}
	}
	return c.Conn.Write(p)
}

// cpu returns the CPU time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
