//go:build !unix

package crash

import "syscall"

func apart() *syscall.SysProcAttr { return nil }
