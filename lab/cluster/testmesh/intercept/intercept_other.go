//go:build !linux

package intercept

import "errors"

// Install returns an error, as it is for Linux.
func Install(Rules) error {
	return errors.New("redirects need nftables, which only Linux has")
}
