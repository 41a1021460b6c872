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

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/ledger"
)

// generatorOrder is one run of a generator.
type generatorOrder struct {
	URL string
	// Stock is vegeta as it comes; else it is the package's.
	Stock bool
	// Even lets the stock one send at even times.
	Even bool
	// Rate is per second; 0 is as fast as the generator can.
	Rate    float64
	For     time.Duration
	Workers int
	// Stamp notes when each request is written to its connection.
	Stamp bool
}

// figures are what a run comes to.
type figures struct {
	Requests, Failures int
	// CPU of the process from the first request to the last answer.
	CPU time.Duration
	// P99 is what the generator reports of latency.
	P99 time.Duration
	// Intended and Written times of the requests on the clock that all processes share, in the order of their numbers.
	Intended, Written []int64
}

func (o *generatorOrder) run() error {
	var f figures
	var err error
	if o.Stock {
		f, err = o.stock()
	} else {
		f, err = o.ours()
	}
	if err != nil {
		return err
	}
	return tell(f)
}

// ours plays a plan with all accounts kept.
func (o *generatorOrder) ours() (figures, error) {
	var f figures
	rate, d := o.Rate, o.For
	if rate == 0 {
		// Everything is due in the first instants.
		rate, d = 1e6, time.Duration(o.For.Seconds()*maxRate*1e3)
	}
	w := one(rate, "GET")
	p, err := loadgen.NewPlan(w, 1, d)
	if err != nil {
		return f, err
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return f, err
	}
	log := newStamps(o.Stamp, "Coalmine-Request: seq=", p)
	book := ledger.New(ledger.Config{Plan: p})
	a := attack.Attack{Plan: p, Targets: []*url.URL{u}, Workers: o.Workers, Done: func(out *loadgen.Outcome) {
		book.Add(out)
		f.Requests++
		if out.Status != 200 {
			f.Failures++
		}
	}}
	if o.Stamp {
		a = attack.Observe(a, log.wrap)
	}
	before := cpu()
	report, err := a.Run(context.Background())
	f.CPU = cpu() - before
	begin := monotonic() - int64(time.Since(report.Begin))
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

// maxRate bounds what an unpaced run sends, in requests per second.
const maxRate = 30_000

// stock is vegeta's library with its defaults, but for the number of workers.
func (o *generatorOrder) stock() (figures, error) {
	var f figures
	var began time.Time
	log := newStamps(o.Stamp, "X-Vegeta-Seq: ", nil)
	pacer, intended := o.pacer(&began)
	options := []func(*vegeta.Attacker){vegeta.MaxWorkers(uint64(o.Workers))}
	if o.Stamp {
		dialer := net.Dialer{KeepAlive: 30 * time.Second}
		options = append(options, vegeta.Client(&http.Client{Timeout: vegeta.DefaultTimeout, Transport: &http.Transport{
			MaxIdleConnsPerHost: vegeta.DefaultConnections,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dialer.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return log.wrap(c), nil
			},
		}}))
	}
	attacker := vegeta.NewAttacker(options...)
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: o.URL + "/"})
	latency := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
	before := cpu()
	for res := range attacker.Attack(target, pacer, o.For, "") {
		f.Requests++
		if res.Code != 200 {
			f.Failures++
		}
		_ = latency.RecordValue(int64(res.Latency / time.Microsecond))
	}
	f.CPU = cpu() - before
	begin := monotonic() - int64(time.Since(began))
	for i := range f.Requests {
		if o.Rate > 0 {
			f.Intended = append(f.Intended, begin+int64(intended(uint64(i))))
		}
	}
	f.Written = log.list[:min(len(log.list), f.Requests)]
	f.P99 = time.Duration(latency.ValueAtQuantile(99)) * time.Microsecond
	return f, nil
}

// noting is a pacer that notes when the attack began.
type noting struct {
	vegeta.Pacer
	began *time.Time
}

func (n noting) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	if n.began.IsZero() {
		*n.began = time.Now().Add(-elapsed)
	}
	return n.Pacer.Pace(elapsed, hits)
}

// pacer is vegeta's own for even times, else one of Poisson arrivals, whose waits are left to vegeta, as any pacer's are. It says
// when each request is meant to go.
func (o *generatorOrder) pacer(began *time.Time) (p vegeta.Pacer, intended func(uint64) time.Duration) {
	if o.Even || o.Rate == 0 {
		even := vegeta.ConstantPacer{Freq: int(o.Rate), Per: time.Second}
		return noting{even, began}, func(n uint64) time.Duration { return time.Duration(float64(n+1) / o.Rate * 1e9) }
	}
	draws := rand.New(rand.NewPCG(1, 2))
	var times []time.Duration
	for at := 0.0; at < 1.1*o.For.Seconds(); {
		at += draws.ExpFloat64() / o.Rate
		times = append(times, time.Duration(at*1e9))
	}
	poisson := vegeta.PacerFunc(nil)
	poisson = func(elapsed time.Duration, hits uint64) (time.Duration, bool) { return times[hits] - elapsed, false }
	return noting{rated{poisson}, began}, func(n uint64) time.Duration { return times[n] }
}

// stamps notes when requests are written, by the number in one of their headers.
type stamps struct {
	before []byte
	list   []int64
}

func newStamps(on bool, before string, p *loadgen.Plan) *stamps {
	s := &stamps{before: []byte(before)}
	if on {
		n := 1 << 17
		if p != nil {
			n = int(p.Expected() + 10*math.Sqrt(p.Expected()) + 10)
		}
		s.list = make([]int64, n)
	}
	return s
}

func (s *stamps) wrap(c net.Conn) net.Conn { return stamped{c, s} }

// stamped is a connection whose writes are noted.
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

// cpu is the time that this process spent on the processor.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
