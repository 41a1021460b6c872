package loadtest_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/lab/input"
	"coalmine/lab/loadtest"
	"coalmine/loadgen/results"
)

// short returns options of a short test against a server.
func short(t *testing.T) loadtest.Options {
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(web.Close)
	o := options(t)
	o.Plan.Duration, o.Target.URLs = 200*time.Millisecond, []string{web.URL}
	return o
}

func TestResultsOnStdout(t *testing.T) {
	o := short(t)
	var out bytes.Buffer
	o.Output.Results, o.Output.Stdout = "-", &out
	r, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	decode, n := vegeta.NewDecoder(&out), int64(0)
	for ; ; n++ {
		var one vegeta.Result
		if err := decode.Decode(&one); err != nil {
			break
		}
	}
	if want := r.Results.Sum(nil).Attempts; n != want || n == 0 {
		t.Errorf("vegeta reads %d of %d results", n, want)
	}
}

func TestOutputsAreNotOverwritten(t *testing.T) {
	o := short(t)
	o.Output.Save = "r.json"
	path := filepath.Join(o.Dir, "r.json")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	var in *input.Error
	if !errors.As(err, &in) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("error %v", err)
	}
	o.Output.HDR = "r.json"
	if _, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore); !errors.As(err, &in) {
		t.Errorf("two outputs in one file: error %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("the file has %q", data)
	}
	o.Output.HDR, o.Output.Force = "", true
	if _, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := results.ReadDocument("r.json", bytes.NewReader(data)); err != nil {
		t.Errorf("overwritten with %.40q: %v", data, err)
	}
}

// TestFailingOutputsKeepTheReport checks that what was measured is returned when a disk is full.
func TestFailingOutputsKeepTheReport(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	o := short(t)
	o.Output.Save = "/dev/full"
	r, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Results.Sum(nil).Requests == 0 {
		t.Fatal(err)
	}
	if !errors.Is(r.Err, syscall.ENOSPC) || strings.Count(r.Err.Error(), "--save") != 1 {
		t.Errorf("error %v", r.Err)
	}
}

// TestReaderOfAPipeLeaves checks that a reader may stop reading.
func TestReaderOfAPipeLeaves(t *testing.T) {
	o := short(t)
	path := filepath.Join(o.Dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	opened := make(chan error, 1)
	go func() {
		f, err := os.Open(path)
		if err == nil {
			err = f.Close()
		}
		opened <- err
	}()
	o.Output.Results, o.Output.Events = "pipe", ""
	r, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Err != nil || <-opened != nil {
		t.Errorf("errors %v, %v", err, r.Err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the pipe is gone: %v", err)
	}
}
