package media

import (
	"bytes"
	"context"
	"errors"
	"os"
	"syscall"
)

const (
	// netlinkUevent is NETLINK_KOBJECT_UEVENT, and kernelGroup the group to which the
	// kernel sends what udev acts on (linux/netlink.h, lib/kobject_uevent.c).
	netlinkUevent = 15
	kernelGroup   = 1
	// maxUevent is more than the kernel puts into an event (UEVENT_BUFFER_SIZE, 2 KiB,
	// and the path before it).
	maxUevent = 8 << 10
)

// watchBlockDevices needs no privilege: everybody may listen.
func watchBlockDevices(ctx context.Context) (<-chan struct{}, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, netlinkUevent)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: kernelGroup}); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	socket := os.NewFile(uintptr(fd), "uevents") // non-blocking: the runtime waits for it
	context.AfterFunc(ctx, func() { _ = socket.Close() })
	events := make(chan struct{}, 1)
	go func() {
		for message := make([]byte, maxUevent); ; {
			n, err := receive(socket, message)
			if err != nil && !errors.Is(err, syscall.ENOBUFS) { // closed
				return
			}
			// After an overrun nobody knows what has happened.
			if err == nil && !isBlockEvent(message[:n]) {
				continue
			}
			select {
			case events <- struct{}{}:
			default:
			}
		}
	}()
	return events, nil
}

// receive waits for a message of the kernel's. Those of other senders, which anybody can
// make, are as good as empty.
func receive(socket *os.File, message []byte) (n int, err error) {
	conn, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var from syscall.Sockaddr
	var received error
	err = conn.Read(func(fd uintptr) bool {
		for received = syscall.EINTR; errors.Is(received, syscall.EINTR); {
			n, from, received = syscall.Recvfrom(int(fd), message, 0)
		}
		return !errors.Is(received, syscall.EAGAIN)
	})
	if err == nil {
		err = received
	}
	if err != nil {
		return 0, err
	}
	if sender, ok := from.(*syscall.SockaddrNetlink); !ok || sender.Pid != 0 {
		return 0, nil
	}
	return n, nil
}

// isBlockEvent looks for the variable that says of what kind the device is. A message is
// "ACTION@PATH" and then "NAME=VALUE", each with a zero byte behind it.
func isBlockEvent(message []byte) bool {
	return bytes.Contains(message, []byte("\x00SUBSYSTEM=block\x00"))
}
