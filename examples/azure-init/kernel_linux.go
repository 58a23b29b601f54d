package main

import "syscall"

func setKernelName(name string) error { return syscall.Sethostname([]byte(name)) }
