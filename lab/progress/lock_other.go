//go:build !unix || solaris || aix

package logbook

// lock does nothing where there is no flock: one of two simultaneous updates may be lost, but the
// file stays whole.
func (*Book) lock() (unlock func(), err error) { return func() {}, nil }
