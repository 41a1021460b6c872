//go:build unix && !solaris && !aix

package kindcluster

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock reports whether it could lock the file.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
