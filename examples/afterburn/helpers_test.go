package main

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/mediatest"
	"github.com/azprov/azprov/provision"
)

const (
	testPassword = "Capstan-and-Windlass-9"
	firstKey     = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w pilot@example.test"
)

type outcome struct {
	code           int
	stdout, stderr string
}

func (o outcome) want(t *testing.T, code int, words ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", o.code, code, o.stdout, o.stderr)
	}
	for _, word := range words {
		if !strings.Contains(o.stdout+o.stderr, word) {
			t.Errorf("%q is missing in:\n%s%s", word, o.stdout, o.stderr)
		}
	}
	return o
}

// vm is a machine on an emulated platform, which it finds at the real addresses.
type vm struct {
	t      *testing.T // the bubble's
	app    *app
	fabric *emulator.Fabric
	drive  *mediatest.CDROM
	home   string
}

// onVM calls test in a bubble of virtual time with the machine of a scenario.
func onVM(t *testing.T, scenario string, change func(*emulator.Scenario), test func(*vm)) {
	t.Helper()
	home, state := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario(scenario)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(&s)
		}
		fabric, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := fabric.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		m := &vm{t: t, fabric: fabric, drive: &mediatest.CDROM{}, home: home}
		if _, there := fabric.Medium(); there {
			var image bytes.Buffer
			if err := fabric.WriteMediumImage(&image, emulator.ImageFormatUDF); err != nil {
				t.Fatal(err)
			}
			m.drive.Image = image.Bytes()
		} else {
			m.drive.At = time.Now().Add(time.Hour) // an empty drive
		}
		account := &user.User{Username: "core", HomeDir: home, Uid: strconv.Itoa(os.Geteuid()), Gid: strconv.Itoa(os.Getegid())}
		m.app = &app{
			proc: fstest.MapFS{}, sys: fabric.DMI(), system: m.drive, host: provision.NoHost(), state: state, transport: server.Client(),
			account: func(name string) (*user.User, error) {
				if name != account.Username {
					return nil, user.UnknownUserError(name)
				}
				return account, nil
			},
		}
		test(m)
	})
}

// run runs one command line on the machine, as a process of its own would.
func (m *vm) run(args ...string) outcome {
	m.t.Helper()
	one := *m.app
	return one.inProcess(m.t, args...)
}

func (a *app) inProcess(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a.out, a.err = &stdout, &stderr
	code := a.run(t.Context(), args)
	return outcome{code, stdout.String(), stderr.String()}
}

// elsewhere runs one command line on a machine that is none of Azure's.
func elsewhere(t *testing.T, args ...string) outcome {
	t.Helper()
	a := &app{proc: fstest.MapFS{}, sys: fstest.MapFS{}, host: provision.NoHost(), account: user.Lookup, system: &mediatest.CDROM{}}
	return a.inProcess(t, args...)
}

// wantFile fails the test unless the file is a regular one of that content and mode.
func wantFile(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != mode {
		t.Errorf("%s: mode %v, want %v", path, info.Mode(), mode)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != content {
		t.Errorf("%s: %v\n%s\nwant:\n%s", path, err, b, content)
	}
}

// journald listens as journald does, and returns what was sent since the last call.
func journald(t *testing.T, socket string) (sent func() string) {
	t.Helper()
	c, err := net.ListenPacket("unixgram", socket) //nolint:noctx // A local socket.
	if err != nil {
		t.Skipf("there are no such sockets here: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return func() string {
		// The real time of another world: a datagram is there when it was sent.
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		b := make([]byte, 4096)
		n, _, _ := c.ReadFrom(b)
		return string(b[:n])
	}
}

func leftBehind(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/"))
		}
		return err
	})
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%v in %s, want %v: %v", got, dir, want, err)
	}
}
