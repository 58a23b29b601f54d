// Package crash reports the end of an agent that could not report it itself: a panic in
// any goroutine, a fatal error of Go's runtime, a signal, the kernel's out-of-memory
// killer.
//
// [Watch] starts a second process of the same program, which waits at the other end of a
// pipe. It needs no supervisor, so it works in an initramfs; where systemd runs the agent,
// OnFailure= is the alternative that needs no second process.
package crash
