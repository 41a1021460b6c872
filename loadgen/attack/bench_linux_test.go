package attack_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// generate runs one generator against one server.
func generate(b *testing.B, s serverOrder, g generatorOrder) (figures, served) {
	b.Helper()
	mine, theirs := cores(b)
	server := start(b, order{Serve: &s}, theirs)
	server.read(b, &g.URL)
	generator := start(b, order{Generate: &g}, mine)
	var f figures
	generator.read(b, &f)
	generator.end(b)
	log := server.stop(b)
	if f.Failures > 0 || f.Requests == 0 {
		b.Fatalf("%s: %d of %d requests failed", g.Who, f.Failures, f.Requests)
	}
	return f, log
}

// stop stops a server.
func (c *child) stop(b *testing.B) served {
	b.Helper()
	c.stdin.Close()
	var log served
	c.read(b, &log)
	c.end(b)
	return log
}

// medians runs every generator several times, in turn, and reports the medians of its figures.
func medians(b *testing.B, rounds int, sides []string, run func(side string) map[string]float64) map[string]float64 {
	b.Helper()
	all := make(map[string][]float64)
	for range rounds {
		for _, side := range sides {
			for unit, x := range run(side) {
				all[unit] = append(all[unit], x)
			}
		}
	}
	middle := make(map[string]float64)
	for unit, list := range all {
		slices.Sort(list)
		middle[unit] = list[len(list)/2]
		b.ReportMetric(middle[unit], unit)
	}
	return middle
}

// BenchmarkSchedule sends 2,000 requests per second to a server that responds after 20 ms. It
// reports how late they were written and how far their gaps are from those of a Poisson process.
// Goals: a median of 25 µs and a distance of 0.05.
func BenchmarkSchedule(b *testing.B) {
	const rate = 2000
	for b.Loop() {
		medians(b, 3, []string{ours, even, poisson}, func(side string) map[string]float64 {
			f, _ := generate(b, serverOrder{Service: 20 * time.Millisecond},
				generatorOrder{Who: side, Rate: rate, Requests: 1.5 * rate, Workers: 1000, Stamp: true})
			late := f.lateness()
			switch side {
			case poisson:
				return map[string]float64{"vegeta-KS": f.poissonDistance(rate)}
			case even:
				return map[string]float64{"vegeta-p50-µs": late[len(late)/2], "vegeta-p99-µs": late[len(late)*99/100]}
			}
			return map[string]float64{"p50-µs": late[len(late)/2], "p99-µs": late[len(late)*99/100],
				"KS": f.poissonDistance(rate)}
		})
	}
}

// lateness returns how much later than intended requests were written, in µs, sorted.
func (f figures) lateness() []float64 {
	var list []float64
	for i, at := range f.Intended {
		list = append(list, math.Abs(float64(f.Written[i]-at))/1e3)
	}
	slices.Sort(list)
	return list
}

// poissonDistance is the Kolmogorov-Smirnov distance between the gaps of the writes and an
// exponential distribution.
func (f figures) poissonDistance(rate float64) float64 {
	times := slices.Clone(f.Written[:len(f.Intended)])
	slices.Sort(times)
	gaps := make([]float64, len(times)-1)
	for i := range gaps {
		gaps[i] = float64(times[i+1]-times[i]) / 1e9
	}
	slices.Sort(gaps)
	far := 0.0
	for i, gap := range gaps {
		want := 1 - math.Exp(-rate*gap)
		far = max(far, math.Abs(want-float64(i)/float64(len(gaps))), math.Abs(want-float64(i+1)/float64(len(gaps))))
	}
	return far
}

// BenchmarkStall sends 500 requests per second, at most ten at a time, to a server that stalls for
// a second. It reports the measured 99th percentile of latency as a multiple of what users would
// have seen: a user who arrives during the stall waits for its end. Goal: 0.95 to 1.05.
func BenchmarkStall(b *testing.B) {
	run := func(who string) float64 {
		f, log := generate(b, serverOrder{StallAfter: 1500 * time.Millisecond, Stall: time.Second},
			generatorOrder{Who: who, Rate: 500, Requests: 2000, Workers: 10})
		var waits []time.Duration
		for _, at := range f.Intended {
			wait := time.Duration(0)
			if log.StallBegin <= at && at < log.StallEnd {
				wait = time.Duration(log.StallEnd - at)
			}
			waits = append(waits, wait)
		}
		slices.Sort(waits)
		return float64(f.P99) / float64(waits[len(waits)*99/100])
	}
	for b.Loop() {
		b.ReportMetric(run(ours), "p99/true")
		b.ReportMetric(run(even), "vegeta-p99/true")
	}
}

// BenchmarkCost reports the CPU time of the generator per request in µs, including results and
// metrics, as fast as possible with 64 requests at a time. Goal: at most 15 % more than vegeta.
func BenchmarkCost(b *testing.B) {
	for b.Loop() {
		cost := medians(b, 5, []string{ours, even}, func(side string) map[string]float64 {
			f, _ := generate(b, serverOrder{}, generatorOrder{Who: side, Requests: 30_000, Workers: 64})
			return map[string]float64{side + "-µs": f.cost()}
		})
		b.ReportMetric(100*(cost[ours+"-µs"]/cost[even+"-µs"]-1), "over-%")
	}
}

// BenchmarkPacedCost is BenchmarkCost at 2,000 requests per second. A process that sends each
// request at its own time wakes up for each; vegeta, which wakes up once per millisecond, does not,
// unless its waits are made precise too.
func BenchmarkPacedCost(b *testing.B) {
	for b.Loop() {
		cost := medians(b, 3, []string{ours, poisson, precise}, func(side string) map[string]float64 {
			f, _ := generate(b, serverOrder{}, generatorOrder{Who: side, Rate: 2000, Requests: 2000, Workers: 64})
			return map[string]float64{side + "-µs": f.cost()}
		})
		b.ReportMetric(100*(cost[ours+"-µs"]/cost[precise+"-µs"]-1), "over-precise-%")
	}
}

func (f figures) cost() float64 { return float64(f.CPU.Nanoseconds()) / 1e3 / float64(f.Requests) }

// BenchmarkOthers is BenchmarkCost for other generators, if they are installed. They collect less.
func BenchmarkOthers(b *testing.B) {
	script := filepath.Join(b.TempDir(), "script.js")
	const text = `import http from "k6/http"; export default function () { http.get(__ENV.TARGET + "/"); }`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	others := map[string]func(url string) []string{
		"wrk": func(url string) []string { return []string{"-t1", "-c64", "-d2s", url + "/"} },
		"k6": func(url string) []string {
			return []string{"run", "-q", "--vus", "64", "--duration", "2s", "-e", "TARGET=" + url,
				"--discard-response-bodies", script}
		},
	}
	for name, arguments := range others {
		b.Run(name, func(b *testing.B) {
			path, err := exec.LookPath(name)
			if err != nil {
				b.Skipf("%s is not installed", name)
			}
			for b.Loop() {
				b.ReportMetric(costOf(b, path, arguments), "µs")
			}
		})
	}
}

// costOf runs another generator; the server reports how many requests it sent.
func costOf(b *testing.B, path string, arguments func(url string) []string) float64 {
	b.Helper()
	mine, theirs := cores(b)
	server := start(b, order{Serve: &serverOrder{}}, theirs)
	var url string
	server.read(b, &url)
	cmd := exec.CommandContext(b.Context(), path, arguments(url)...)
	out := &fewLines{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := onCore(mine, cmd.Start); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatal(err, out)
	}
	log := server.stop(b)
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return float64(spent.Nanoseconds()) / 1e3 / float64(max(log.Requests, 1))
}

// fewLines returns the start of an output.
type fewLines struct{ text []byte }

func (f *fewLines) Write(p []byte) (int, error) {
	f.text = append(f.text, p[:min(len(p), 1000-len(f.text))]...)
	return len(p), nil
}

func (f *fewLines) String() string { return string(f.text) }
