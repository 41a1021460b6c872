//go:build !linux

package worker

import "syscall"

func workerAttr() *syscall.SysProcAttr { return nil }
