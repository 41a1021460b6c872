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
	"strings"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

const (
	// defaultTimeout is how long one run may take in real time. Runs take a second; a loaded machine gets a hundred times that.
	defaultTimeout = 3 * time.Minute
	// stopGrace is how long an interrupted worker may take to close its log.
	stopGrace = 10 * time.Second
	// maxStderr bounds what is kept of a worker's standard error.
	maxStderr = 8 << 10
)

// Player plays each flight in a worker process.
type Player struct {
	// Path is the worker's program, Args its arguments from the program's name on.
	Path string
	Args []string
	// Timeout is how long one run may take in real time; 0 stands for three minutes.
	Timeout time.Duration
}

// Play plays one flight and hands each event to sink. A worker that dies leaves a log that says so: it is closed as the lab's
// fault.
func (p Player) Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error {
	input, err := json.Marshal(newJob(f))
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	limit := cmp.Or(p.Timeout, defaultTimeout)
	deadline, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run took longer than %v of real time", limit))
	defer cancel()
	var complaint headBuffer
	cmd := p.command(deadline, input, &complaint)
	cmd.Cancel = func() error {
		if ctx.Err() != nil {
			return cmd.Process.Signal(os.Interrupt) // the user's wish: the worker may close its log
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
	_, drained := io.Copy(io.Discard, out) // what follows a broken line must not block the worker
	waited := cmd.Wait()
	if _, closed := last.Fact.(event.RunEnded); closed && waited == nil {
		return ctx.Err()
	}
	err = p.failure(ctx, deadline, read, drained, waited, complaint.String())
	closeLog(last, err, sink)
	return err
}

// command is a worker that reads input. It inherits nothing of the environment but where temporary files go: what guardrails
// could read out of it, they cannot.
func (p Player) command(ctx context.Context, input []byte, complaint io.Writer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path)
	cmd.Args = p.Args
	cmd.Env = []string{"TMPDIR=" + os.TempDir()}
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = complaint
	cmd.WaitDelay = stopGrace
	return cmd
}

// failure says why there is no whole log.
func (p Player) failure(ctx, deadline context.Context, read, drained, waited error, complaint string) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case deadline.Err() != nil:
		return fmt.Errorf("worker: %w", context.Cause(deadline))
	case complaint != "":
		return fmt.Errorf("worker: %s", complaint)
	}
	return fmt.Errorf("worker: the run broke off: %w", errors.Join(read, drained, waited))
}

// closeLog ends a log that its worker did not end, unless there is none.
func closeLog(last event.Event, why error, sink func(event.Event)) {
	if last.Fact == nil || last.Fact.Kind() == event.KindRunEnded {
		return
	}
	outcome := event.OutcomeLabFault
	if errors.Is(why, context.Canceled) {
		outcome = event.OutcomeInterrupted
	}
	// What follows the first paragraph is a Go program's stacks: the error has them, the log is for people.
	reason, _, _ := strings.Cut(why.Error(), "\n\n")
	sink(event.Event{Seq: last.Seq + 1, At: last.At, Fact: event.RunEnded{Outcome: outcome, Reason: reason}})
}

// headBuffer keeps the first maxComplaint bytes of what is written to it: a Go program says first why it dies.
type headBuffer struct{ b bytes.Buffer }

func (t *headBuffer) Write(p []byte) (int, error) {
	if room := maxStderr - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *headBuffer) String() string { return strings.TrimSpace(t.b.String()) }
