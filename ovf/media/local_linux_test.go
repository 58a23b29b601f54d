package media

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov"
)

// needRoot skips a test of devices for whom they are not.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it needs root: it sets up a loop device")
	}
}

// The kernel tells of block devices, and of others it is not asked.
func TestWatchBlockDevices(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := Local().Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request := func(device string) {
		if err := os.WriteFile("/sys/"+device+"/uevent", []byte("change"), 0); err != nil {
			t.Fatal(err)
		}
	}
	quiet := false // once is enough: others make events of block devices meanwhile
	for try := 0; try < 10 && !quiet; try++ {
		request("class/net/lo")
		select {
		case <-events:
		case <-time.After(100 * time.Millisecond):
			quiet = true
		}
	}
	if !quiet {
		t.Error("an event of a network device")
	}
	request("class/block/loop0")
	select {
	case <-events:
	case <-time.After(10 * time.Second):
		t.Error("no event of a block device")
	}
	cancel()
}

// Events that nobody waits for are kept, as one.
func TestEventsAreJoined(t *testing.T) {
	needRoot(t)
	events, err := Local().Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := os.WriteFile("/sys/class/block/loop0/uevent", []byte("change"), 0); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond)
	for n := 0; ; n++ {
		select {
		case <-events:
			continue
		case <-time.After(20 * time.Millisecond):
		}
		if n == 0 || n > 10 { // others may make events meanwhile
			t.Errorf("%d values", n)
		}
		return
	}
}

// What another process sends is no event of the kernel's.
func TestReceiveFromAnotherSender(t *testing.T) {
	t.Parallel()
	const userSock = 2 // NETLINK_USERSOCK
	open := func() (*os.File, syscall.Sockaddr) {
		fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, userSock)
		if err != nil {
			t.Skip("no netlink sockets here: " + err.Error())
		}
		if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
			t.Fatal(err)
		}
		name, err := syscall.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		socket := os.NewFile(uintptr(fd), "netlink")
		t.Cleanup(func() { _ = socket.Close() })
		return socket, name
	}
	receiver, to := open()
	sender, _ := open()
	conn, err := sender.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { sent = syscall.Sendto(int(fd), []byte("x\x00SUBSYSTEM=block\x00"), 0, to) }); err != nil || sent != nil {
		t.Fatal(err, sent)
	}
	if n, err := receive(receiver, make([]byte, maxUevent)); n != 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// What the kernel's errno means of a drive.
func TestEjectError(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]string{
		syscall.EBUSY: "the disc is in use", syscall.EIO: "the drive does not open",
		syscall.ENOTTY: "no drive that can be opened", syscall.EINVAL: "no drive that can be opened",
		syscall.ENOSYS: "no drive that can be opened", syscall.EOPNOTSUPP: "no drive that can be opened",
	} {
		kind := azprov.KindInternal
		if errno == syscall.EBUSY {
			kind = azprov.KindNotReady
		}
		if err := ejectError(errno); azprov.KindOf(err) != kind || !strings.Contains(err.Error(), want) || !errors.Is(err, errno) {
			t.Errorf("%d: %v", errno, err)
		}
	}
}

func TestIsBlockEvent(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{
		"add@/devices/x/block/sr0\x00ACTION=add\x00SUBSYSTEM=block\x00MAJOR=11\x00": true,
		"add@/devices/x/net/lo\x00ACTION=add\x00SUBSYSTEM=net\x00":                  false,
		"add@/devices/x\x00SUBSYSTEM=blockish\x00":                                  false,
		"": false,
	} {
		if isBlockEvent([]byte(message)) != want {
			t.Errorf("%q", message)
		}
	}
}

// A watch that has ended leaves nothing open.
func TestWatchEnds(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc: ", err)
		}
		return len(entries)
	}
	before := open()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := Local().Watch(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	for range 100 {
		if open() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d descriptors, %d before", open(), before)
}

// A pipe in place of a device must not hang.
func TestOpenDiscOfAPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDisc(path, nil); err == nil {
		t.Error("opened")
	}
}
