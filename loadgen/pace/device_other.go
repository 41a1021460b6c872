//go:build !linux

package pace

func newDevice() (device, error) { return newPortable(), nil }
