//go:build linux

package grade_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coalmine/lab/teaching/grade"
)

// BenchmarkClass grades a class whose guardrails are all different, three faulty and three healthy
// runs each, and reports graded runs for each second of CPU time, with all that grading takes
// besides, and the peak memory of the program and of its largest worker.
func BenchmarkClass(b *testing.B) {
	const learners, seeds, runs = 6, 3, 2 * 3
	dir := b.TempDir()
	files := variant(b, "solution")
	for i := range learners {
		learner := filepath.Join(dir, fmt.Sprint("learner", i))
		if err := os.Mkdir(learner, 0o755); err != nil {
			b.Fatal(err)
		}
		for name, text := range signed(files, learner) {
			write(b, filepath.Join(learner, name), []byte(text))
		}
	}
	before := cpu(b, syscall.RUSAGE_CHILDREN) + cpu(b, syscall.RUSAGE_SELF)
	for b.Loop() {
		g := gradeClass(b, dir, filepath.Join(b.TempDir(), "grades"), func(o *grade.Options) { o.Seeds = seeds })
		if g.NotGraded() > 0 {
			b.Fatalf("%d of %d are not graded", g.NotGraded(), learners)
		}
	}
	used := cpu(b, syscall.RUSAGE_CHILDREN) + cpu(b, syscall.RUSAGE_SELF) - before
	b.ReportMetric(float64(b.N*learners*runs)/used, "runs/cpu-s")
	b.ReportMetric(500*used/float64(b.N*learners), "cpu-s/500-learners")
	b.ReportMetric(peakMB(b, syscall.RUSAGE_SELF), "peak-MB")
	b.ReportMetric(peakMB(b, syscall.RUSAGE_CHILDREN), "worker-peak-MB")
}

func usage(t testing.TB, who int) syscall.Rusage {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// cpu is CPU time in seconds.
func cpu(t testing.TB, who int) float64 {
	u := usage(t, who)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func peakMB(t testing.TB, who int) float64 { return float64(usage(t, who).Maxrss) / 1024 }
