package grade

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"coalmine/lab/run/worker"
)

// Limits of what a worker may write.
const (
	maxAnswer = 16 << 20
	maxStderr = 8 << 10
)

// process is a worker process that grades one submission in one scenario.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  *head
	ended   context.CancelFunc
	expired context.Context // ends with the process' time
	limit   time.Duration
	cpu     int
	temp    string
	stopped bool
}

// startProcess starts a worker. The caller must stop it, in the goroutine that started it.
func startProcess(ctx context.Context, o Options, j job) (*process, error) {
	line, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "coalmine-grade-")
	if err != nil {
		return nil, err
	}
	p := &process{stderr: &head{}, limit: o.Timeout, cpu: o.CPUSeconds, temp: temp}
	p.expired, p.ended = context.WithTimeout(ctx, o.Timeout)
	p.cmd = worker.Command(p.expired, o.Worker.Path, o.Worker.Args, temp)
	p.cmd.Stderr = p.stderr
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	runtime.LockOSThread() // see worker.Command
	if err := errors.Join(err1, err2, p.cmd.Start()); err != nil {
		p.ended()
		runtime.UnlockOSThread()
		return nil, errors.Join(fmt.Errorf("start a worker: %w", err), os.RemoveAll(temp))
	}
	p.in, p.out = in, bufio.NewReader(io.LimitReader(out, maxAnswer))
	_, _ = p.in.Write(append(line, '\n')) // a worker that is dead by now has no answer
	return p, nil
}

// play makes the worker play and returns its answer.
func (p *process) play(empty Part) answer {
	_, _ = io.WriteString(p.in, goAhead+"\n")
	a := p.answer(empty)
	if a.Part == nil {
		part := empty
		part.withoutGrade(CauseCrash, "the program that played the submission ended without a result")
		a.Part = &part
	}
	return a
}

// answer reads the worker's next answer. If there is none, it is a part that says why.
func (p *process) answer(empty Part) answer {
	var a answer
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err == nil && a.Failure == "" {
		return a
	}
	part := empty
	if err == nil {
		part.withoutGrade(CauseLab, worker.LastWords(a.Failure))
		return answer{Part: &part}
	}
	part.withoutGrade(p.failure())
	return answer{Part: &part}
}

// stop ends the worker.
func (p *process) stop() {
	p.wait()
	p.ended()
}

// wait waits for a worker, whose standard input ends now.
func (p *process) wait() {
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.in.Close()
	_, _ = io.Copy(io.Discard, p.out)
	_ = p.cmd.Wait() // the answers say all
	runtime.UnlockOSThread()
	_ = os.RemoveAll(p.temp)
}

// failure says why the worker gave no answer. The words are the same on every machine, as far as the
// reason is.
func (p *process) failure() (Cause, string) {
	p.wait()
	state := p.cmd.ProcessState
	stderr := p.stderr.String()
	switch {
	case errors.Is(p.expired.Err(), context.DeadlineExceeded):
		return CauseLimit, fmt.Sprintf("it took longer than %v of real time", p.limit)
	case state != nil && killed(state) && state.UserTime()+state.SystemTime() > time.Duration(p.cpu-1)*time.Second:
		return CauseLimit, fmt.Sprintf("it took more than %d s of CPU time", p.cpu)
	case strings.Contains(stderr, "out of memory"), strings.Contains(stderr, "cannot allocate memory"):
		return CauseLimit, "it took more memory than a run may"
	case stderr != "":
		return CauseCrash, "the program that played it died: " + worker.LastWords(stderr)
	case state != nil:
		return CauseCrash, "the program that played it died: " + state.String()
	}
	return CauseCrash, "the program that played it died"
}

// killed reports whether a signal ended a process.
func killed(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// head keeps the first bytes that are written to it.
type head struct{ buf bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	if room := maxStderr - h.buf.Len(); room > 0 {
		h.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (h *head) String() string { return strings.TrimSpace(h.buf.String()) }
