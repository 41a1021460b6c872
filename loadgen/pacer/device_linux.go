package pacer

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerfd is a timer with a file descriptor. The poller is edge-triggered (epoll(7)) and is
// notified of each expiry, so the expiry count never has to be read: a wait costs one system call
// to set the timer, plus those of the poller.
type timerfd struct {
	file *os.File
	raw  syscall.RawConn

	mu   sync.Mutex
	spec unix.ItimerSpec
	err  error
	set  func(fd uintptr)
}

func newDevice() (device, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("pacer: create timer: %w", os.NewSyscallError("timerfd_create", err))
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pacer: create timer: %w", err), file.Close())
	}
	t := &timerfd{file: file, raw: raw}
	t.set = func(fd uintptr) { t.err = unix.TimerfdSettime(int(fd), 0, &t.spec, nil) }
	return t, nil
}

// park leaves waiting to the poller, which discards earlier notifications of the descriptor before
// it first calls ready.
func (t *timerfd) park(ready func() bool) error {
	return t.raw.Read(func(uintptr) bool { return ready() })
}

func (t *timerfd) arm(d time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spec.Value = unix.NsecToTimespec(int64(d))
	if err := t.raw.Control(t.set); err != nil {
		return err
	}
	return os.NewSyscallError("timerfd_settime", t.err)
}

func (t *timerfd) close() error { return t.file.Close() }
