package kindcluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Lock keeps other processes of this user from creating or deleting the cluster at the same time;
// they would delete each other's incomplete cluster. It does not wait: the error is a [*Problem] of
// kind Busy. The lock ends with the process in any case; unlock removes its file.
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
	return nil, &Problem{Busy, fmt.Errorf("another coalmine is creating or deleting cluster %s", c.name),
		"wait until it ends, or stop it, and run the same command again"}
}

// sameFile reports whether the name still refers to the file: the previous holder of the lock may
// have removed it.
func sameFile(f *os.File, name string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	current, err := os.Stat(name)
	return err == nil && os.SameFile(opened, current)
}
