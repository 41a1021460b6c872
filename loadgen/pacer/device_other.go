//go:build !linux

package pacer

func newDevice() (device, error) { return newPortable(), nil }
