package worker

import "syscall"

// workerAttr makes the kernel kill a worker whose parent dies, by whatever signal.
func workerAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
