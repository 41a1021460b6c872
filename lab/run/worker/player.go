package worker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/format"
)

const (
	// defaultTimeout limits the real time of one run. A run takes about a second; the limit leaves
	// room for a loaded machine.
	defaultTimeout = 3 * time.Minute
	// stopGrace is how long an interrupted worker may take to close its log.
	stopGrace = 10 * time.Second
	// maxStderr limits how many bytes of a worker's standard error are kept.
	maxStderr = 8 << 10
)

// Player plays each run in a worker process.
type Player struct {
	// Path is the worker's program.
	Path string
	// Args are its arguments, including the program's name.
	Args []string
	// Timeout limits the real time of one run; 0 means three minutes.
	Timeout time.Duration
}

// Play plays one run and passes each event to sink. If the worker dies, Play closes the log with
// the outcome [event.OutcomeLabFault].
func (p Player) Play(ctx context.Context, spec cluster.RunSpec, sink func(event.Event)) error {
	input, err := json.Marshal(newJob(spec))
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	limit := cmp.Or(p.Timeout, defaultTimeout)
	temporary, err := os.MkdirTemp("", "coalmine-worker-")
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	defer os.RemoveAll(temporary) // a worker that is killed leaves its files
	// The kernel takes the thread that starts a process for its parent: see workerAttr.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timedOut := fmt.Errorf("the run took longer than %v of real time", limit)
	deadline, cancel := context.WithTimeoutCause(ctx, limit, timedOut)
	defer cancel()
	var stderr headBuffer
	cmd := p.command(deadline, input, temporary, &stderr)
	cmd.Cancel = func() error {
		if ctx.Err() != nil {
			return cmd.Process.Signal(os.Interrupt) // the user stopped the run: the worker may close its log
		}
		return cmd.Process.Kill()
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	var last event.Event
	read := event.Scan(out, func(e event.Event) { last = e; sink(e) })
	_, drained := io.Copy(io.Discard, out) // the worker must not block after a broken line
	waited := cmd.Wait()
	if _, closed := last.Fact.(event.RunEnded); closed && waited == nil {
		return ctx.Err()
	}
	err = p.failure(ctx, deadline, read, drained, waited, stderr.String())
	closeLog(last, err, sink)
	return err
}

// command returns a worker that reads input.
func (p Player) command(ctx context.Context, input []byte, temporary string, stderr io.Writer) *exec.Cmd {
	cmd := Command(ctx, p.Path, p.Args, temporary)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = stderr
	return cmd
}

// Command returns a process for untrusted input. Its environment has nothing of ours, so that
// guardrails cannot read anything from it. The kernel ends it with the thread that starts it, which
// the caller therefore locks.
func Command(ctx context.Context, path string, args []string, temporary string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = args
	// Until [Limit] sets it, the garbage collector would only slow the start, by a quarter.
	cmd.Env = []string{"TMPDIR=" + temporary, "GOGC=off"}
	cmd.SysProcAttr = workerAttr()
	cmd.WaitDelay = stopGrace
	return cmd
}

// failure returns why the log is incomplete.
func (p Player) failure(ctx, deadline context.Context, read, drained, waited error, stderr string) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case deadline.Err() != nil:
		return fmt.Errorf("worker: %w", context.Cause(deadline))
	case stderr != "":
		return fmt.Errorf("worker: %s", LastWords(stderr))
	}
	if err := errors.Join(read, drained, waited); err != nil {
		return fmt.Errorf("worker: the run ended early: %w", err)
	}
	return errors.New("worker: the run ended early: the program did not play it; was it replaced?")
}

// maxLastWords is the length in bytes of what a dead worker is quoted with.
const maxLastWords = 500

// LastWords returns why a worker died, from its standard error. It omits the stacks of a Go panic,
// which follow the first paragraph.
func LastWords(stderr string) string {
	words, _, _ := strings.Cut(stderr, "\n\n")
	words = format.Clean(words)
	if len(words) > maxLastWords {
		words = strings.ToValidUTF8(words[:maxLastWords], "") + "…"
	}
	return words
}

// closeLog closes a log that its worker has not closed. It does nothing if the log is empty.
func closeLog(last event.Event, why error, sink func(event.Event)) {
	if last.Fact == nil || last.Fact.Kind() == event.KindRunEnded {
		return
	}
	outcome := event.OutcomeLabFault
	if errors.Is(why, context.Canceled) {
		outcome = event.OutcomeInterrupted
	}
	sink(event.Event{Seq: last.Seq + 1, At: last.At, Fact: event.RunEnded{Outcome: outcome, Reason: why.Error()}})
}

// headBuffer keeps the first maxStderr bytes that are written to it: a Go program prints first
// why it dies.
type headBuffer struct{ buf bytes.Buffer }

func (b *headBuffer) Write(p []byte) (int, error) {
	if room := maxStderr - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (b *headBuffer) String() string { return strings.TrimSpace(b.buf.String()) }
