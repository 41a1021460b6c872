package pacer

import "time"

// portable is a device that uses Go's timers, for systems without timerfd. It is as precise as the
// poller's timeouts there, a millisecond or better. It does not spin for the rest of the time,
// because the load needs the CPU.
type portable struct {
	timer  *time.Timer
	closed chan struct{}
}

func newPortable() *portable {
	p := &portable{timer: time.NewTimer(time.Hour), closed: make(chan struct{})}
	p.timer.Stop()
	return p
}

func (p *portable) park(ready func() bool) error {
	for !ready() {
		select {
		case <-p.timer.C:
		case <-p.closed:
			return ErrClosed
		}
	}
	return nil
}

func (p *portable) arm(d time.Duration) error {
	p.timer.Reset(d)
	return nil
}

func (p *portable) close() error {
	p.timer.Stop()
	close(p.closed)
	return nil
}
