//go:build !linux

package intercept

import "errors"

// Install is for Linux: it is an error elsewhere.
func Install(Rules) error {
	return errors.New("redirects are written into nftables: only a container on Linux has them")
}
