package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// served is a program that serves while a script goes on.
type served struct {
	*exec.Cmd
	out   *os.File
	said  chan string // the lines of stderr; closed at its end
	lines []string
}

// servedKey is where a script keeps what serves.
type servedKey struct{}

// servePatience is for programs that hang: a script that waits longer has failed.
const servePatience = time.Minute

// serves PHRASE PROGRAM ARG... starts a program in the background, with the variables of the script
// that begin with COALMINE_, and waits until it says PHRASE on stderr. For each line "name …
// http://address" of its output, URL_NAME and ADDRESS_NAME are set then.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serves PHRASE PROGRAM ARG...")
	}
	s := &served{Cmd: exec.Command(lookPath(ts, args[1]), args[2:]...), said: make(chan string, 1000)}
	s.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "COALMINE_LISTEN", "COALMINE_SERVICE", "COALMINE_VERSION",
		"COALMINE_SCENARIO", "COALMINE_RUN_SPEC",
		"COALMINE_SEED", "COALMINE_FAULTS", "COALMINE_UPSTREAMS", "COALMINE_ON_KILL"} {
		s.Env = append(s.Env, name+"="+ts.Getenv(name))
	}
	var err error
	s.out, err = os.CreateTemp(ts.Getenv("WORK"), "serves-*.out")
	ts.Check(err)
	s.Stdout = s.out
	stderr, err := s.StderrPipe()
	ts.Check(err)
	ts.Check(s.Start())
	go s.listen(stderr)
	ts.Defer(func() { _ = s.Process.Kill() }) // it has ended, unless the script failed
	s.await(ts, args[0])
	s.setURLs(ts)
	list := ts.Value(servedKey{}).(*[]*served)
	*list = append(*list, s)
}

func lookPath(ts *testscript.TestScript, program string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, program); exec.Command(path).Err == nil {
			return path
		}
	}
	ts.Fatalf("there is no program %s", program)
	return ""
}

func (s *served) listen(stderr io.Reader) {
	defer close(s.said)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		s.said <- lines.Text()
	}
}

// await reads stderr up to a phrase, "" for its end.
func (s *served) await(ts *testscript.TestScript, phrase string) {
	timeout := time.After(servePatience)
	for {
		select {
		case line, more := <-s.said:
			if s.lines = append(s.lines, line); more && (phrase == "" || !strings.Contains(line, phrase)) {
				continue
			}
			if !more && phrase != "" {
				ts.Fatalf("the program ended without %q:\n%s", phrase, strings.Join(s.lines, "\n"))
			}
			return
		case <-timeout:
			ts.Fatalf("the program does not say %q:\n%s", phrase, strings.Join(s.lines, "\n"))
		}
	}
}

func (s *served) setURLs(ts *testscript.TestScript) {
	data, err := os.ReadFile(s.out.Name())
	ts.Check(err)
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if last := len(words) - 1; last > 0 && strings.HasPrefix(words[last], "http://") {
			ts.Setenv("URL_"+strings.ToUpper(words[0]), words[last])
			ts.Setenv("ADDRESS_"+strings.ToUpper(words[0]), strings.TrimPrefix(words[last], "http://"))
		}
	}
}

// stops SIGNAL CODE ends the program that began to serve last, or waits for its end if SIGNAL is -,
// and wants an exit code. What it said is in the files stops.out and stops.err.
func stops(ts *testscript.TestScript, neg bool, args []string) {
	list := ts.Value(servedKey{}).(*[]*served)
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "-": 0}
	if neg || len(args) != 2 || len(*list) == 0 {
		ts.Fatalf("usage: stops INT|TERM|- CODE, after serves")
	}
	s := (*list)[len(*list)-1]
	*list = (*list)[:len(*list)-1]
	if signal := signals[args[0]]; signal != 0 {
		ts.Check(s.Process.Signal(signal))
	}
	s.await(ts, "")
	err := s.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	stdout, err := os.ReadFile(s.out.Name())
	ts.Check(err)
	ts.Check(s.out.Close())
	ts.Check(os.WriteFile(ts.MkAbs("stops.out"), stdout, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stops.err"), []byte(strings.Join(s.lines, "\n")), 0o600))
	if got := strconv.Itoa(s.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("exit code %s, want %s:\n%s", got, args[1], strings.Join(s.lines, "\n"))
	}
}

// request METHOD URL [HEADER: VALUE]... is a program that sends one request and prints the answer.
func request() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: request METHOD URL [HEADER: VALUE]...")
		os.Exit(2)
	}
	if err := sendRequest(os.Stdout, os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sendRequest(w io.Writer, method, url string, headers []string) error {
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := (&http.Client{Timeout: servePatience}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Fprintln(w, resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		fmt.Fprintf(w, "%s: %s\n", name, strings.Join(resp.Header[name], ", "))
	}
	_, err = io.Copy(w, resp.Body)
	return err
}
