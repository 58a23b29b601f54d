package link

import (
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// indexLimit is more than any number has digits.
const indexLimit = 32

// driver returns the name of the driver of the interface's device, or nothing. It looks
// whether sysfs means the same interface: the name may be another's by now, and a sysfs
// shows the network namespace in which it was mounted.
func driver(sysfs fs.FS, name string, index int) string {
	dir := "class/net/" + name
	if name == "" || readLine(sysfs, dir+"/ifindex") != strconv.Itoa(index) {
		return ""
	}
	target, err := fs.ReadLink(sysfs, dir+"/device/driver")
	if err != nil {
		return "" // a virtual interface, which has no device
	}
	return path.Base(target)
}

func readLine(sysfs fs.FS, name string) string {
	f, err := sysfs.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	b, _ := io.ReadAll(io.LimitReader(f, indexLimit))
	return strings.TrimSpace(string(b))
}
