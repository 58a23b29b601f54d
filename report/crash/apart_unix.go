//go:build unix

package crash

import "syscall"

// apart keeps the other process out of the agent's session: what ends that must not end
// it too.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
