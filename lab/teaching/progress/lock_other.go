//go:build !unix || solaris || aix

package progress

// lock does nothing where there is no flock: one of two simultaneous updates may be lost, but the
// file stays whole.
func (*Store) lock() (unlock func(), err error) { return func() {}, nil }
