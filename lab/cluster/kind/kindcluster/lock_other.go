//go:build !unix || solaris || aix

package kindcluster

import "os"

// tryLock does nothing: here, two processes may create the same cluster at once.
func tryLock(*os.File) (bool, error) { return true, nil }
