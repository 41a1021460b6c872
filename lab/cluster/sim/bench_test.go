package sim_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/worker"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
)

// usage returns the CPU time and peak memory of the process so far.
func usage(t testing.TB) (cpu time.Duration, peakMB float64) {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), float64(u.Maxrss) / 1024 // Linux counts in KiB
}

// tenMinutes is a run of ten virtual minutes at a rate in requests/s, two hops each, from Flagger's
// start to the horizon.
func tenMinutes(t testing.TB, rate float64) cluster.RunSpec {
	spec := runSpec(t, "full-rollout", "solution", "v3", 1)
	s := *spec.Scenario
	s.Traffic.Rate = loadgen.Curve{Constant: rate}
	s.Timing = scenario.Timing{Baseline: time.Minute, Horizon: 8 * time.Minute}
	spec.Scenario = &s
	return spec
}

// BenchmarkRollout plays ten virtual minutes at 200 requests/s with the real Flagger and PromQL,
// and reports the CPU time of one and the peak memory of the process. Processor and garbage collector
// are set as in a worker, which writes the same log, but to a pipe or a file.
func BenchmarkRollout(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(worker.GCPercent))
	spec := tenMinutes(b, 200)
	play(b, spec) // initializes process-wide state
	before, _ := usage(b)
	b.ReportAllocs()
	for b.Loop() {
		log := event.NewWriter(io.Discard)
		err := run.Play(b.Context(), sim.Cluster{Version: "test"}, spec, log.Write)
		if err := errors.Join(err, log.Close()); err != nil {
			b.Fatal(err)
		}
	}
	after, peak := usage(b)
	b.ReportMetric((after-before).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(peak, "peak-MB")
}

// BenchmarkThousandRollouts plays 1,000 rollouts in one process and reports how many goroutines and
// how much heap they leave. Run it with -benchtime 1x.
func BenchmarkThousandRollouts(b *testing.B) {
	const runs = 1000
	spec := tenMinutes(b, 20)
	specs := make([]cluster.RunSpec, runs)
	for i := range specs {
		specs[i] = spec
		specs[i].Seed = uint64(i)
	}
	play(b, spec)
	goroutines, heap := remains()
	before, _ := usage(b)
	for b.Loop() {
		err := run.PlayAll(context.Background(), run.InProcess{Cluster: sim.Cluster{}}, specs, runtime.GOMAXPROCS(0),
			func(int) (run.Log, error) { return noLog{}, nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	after, _ := usage(b)
	goroutinesAfter, heapAfter := remains()
	b.ReportMetric((after-before).Seconds()/float64(b.N*runs), "cpu-s/rollout")
	b.ReportMetric(float64(goroutinesAfter-goroutines), "goroutines-left")
	b.ReportMetric(float64(heapAfter-heap)/(1<<20), "heap-MB-left")
}

// remains returns the number of goroutines and the bytes of live heap.
func remains() (goroutines int, heap int64) {
	var m runtime.MemStats
	for range 3 { // finalizers free more in a second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), int64(m.HeapAlloc)
}

// noLog discards a run.
type noLog struct{}

func (noLog) Write(event.Event) {}
func (noLog) Close() error      { return nil }
