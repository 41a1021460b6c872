package main

import (
	"os"
	"os/exec"
	"testing"
)

// BenchmarkStart starts the program to list the scenarios. The test binary stands for the program
// (see TestMain); it is a little larger.
func BenchmarkStart(b *testing.B) {
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cpu := 0.0
	for b.Loop() {
		cmd := exec.Command(path, "list")
		cmd.Args[0] = "coalmine"
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	b.ReportMetric(1000*cpu/float64(b.N), "cpu-ms/op")
}
