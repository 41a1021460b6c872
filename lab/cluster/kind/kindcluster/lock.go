package kindcluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Lock keeps other processes of this user from making or removing the cluster meanwhile; two that did so at the same time would
// remove each other's half made one. It does not wait: the error is a [*Problem] of kind Busy. The lock ends with the process,
// whatever becomes of it; unlock removes its file.
func (c *Cluster) Lock() (unlock func(), err error) {
	name := filepath.Join(os.TempDir(), "coalmine-"+strconv.Itoa(os.Getuid())+"-"+c.name+".lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock cluster %s: %w", c.name, err)
	}
	held, err := tryLock(f)
	if err == nil && held && sameFile(f, name) {
		return func() {
			os.Remove(name) //nolint:errcheck // an empty file that is left over does no harm
			f.Close()
		}, nil
	}
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("lock cluster %s: %w", c.name, err)
	}
	return nil, &Problem{Busy, fmt.Errorf("another coalmine is bringing cluster %s up or down", c.name),
		"wait until it has ended, or stop it, and run the same command again"}
}

// sameFile tells whether the name still leads to the file: who held the lock before has removed it.
func sameFile(f *os.File, name string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(mine, named)
}
