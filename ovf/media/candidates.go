package media

import (
	"cmp"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxDevice bounds what is looked at beside optical drives. The platform's disc has
	// some 100 KiB of documents; the smallest disk that Azure sells has 4 GiB.
	maxDevice = 64 << 20
	// maxDevices bounds how many devices are looked at: Azure's largest machines have 64
	// data disks, and none of those is.
	maxDevices = 64
	// sectorSize is the unit of sysfs's sizes, whatever the device's is.
	sectorSize = 512
	// maxAttribute bounds a file of sysfs, which has a page at most; maxTable bounds a
	// mount table, which has a line for each of up to 100,000 mounts.
	maxAttribute = 4 << 10
	maxTable     = 16 << 20

	blockDir = "sys/class/block/"
)

// candidate is a device that may have the medium in it.
type candidate struct {
	path string // "/dev/sr0"
	// mounts are the directories where it is mounted.
	mounts []string
	// kernel: the kernel may try if we cannot read it.
	kernel bool
}

// devices is a view of the machine's block devices at one moment.
type devices struct {
	fsys   fs.FS
	names  []string // of sys/class/block, in natural order
	drives []string // optical ones that the kernel lists
	mounts []mount
	labels map[string]string // of udev, by name
}

func readDevices(fsys fs.FS) *devices {
	d := &devices{fsys: fsys, mounts: readMounts(fsys), labels: readLabels(fsys)}
	d.drives = d.listed()
	entries, err := fs.ReadDir(fsys, path.Clean(blockDir))
	if err != nil { // no sysfs: what the other directories have
		entries, _ = fs.ReadDir(fsys, "dev") // none there either: no candidates
		for name := range d.labels {
			d.names = append(d.names, name)
		}
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !isOpticalName(e.Name()) })
	}
	for _, entry := range entries {
		d.names = append(d.names, entry.Name())
	}
	for _, m := range d.mounts {
		if name, ok := strings.CutPrefix(m.source, "/dev/"); ok && m.isDisc() {
			d.names = append(d.names, name)
		}
	}
	slices.SortFunc(d.names, natural)
	d.names = slices.Compact(d.names)
	return d
}

// candidates returns the devices to look at, optical drives first, and those that are
// passed over, with the reason.
func (d *devices) candidates() (list []candidate, passedOver []Sighting) {
	var others []candidate
	for _, name := range d.names {
		if d.isOptical(name) {
			list = append(list, d.candidate(name))
			continue
		}
		if d.has(name, "partition") {
			continue // its disk decides
		}
		if reason := d.unfit(name); reason != "" {
			passedOver = append(passedOver, Sighting{devicePath(name), OutcomePassedOver, "passed over: " + reason})
			continue
		}
		for _, part := range append([]string{name}, d.partitions(name)...) {
			others = append(others, d.candidate(part))
		}
	}
	// A label is a sign that udev has seen a volume.
	slices.SortStableFunc(others, func(a, b candidate) int { return cmp.Compare(d.unlabeled(a), d.unlabeled(b)) })
	list = append(list, others...)
	if len(list) > maxDevices {
		passedOver = append(passedOver, Sighting{
			list[maxDevices].path, OutcomePassedOver, "passed over, and all that follow: there are more than " + strconv.Itoa(maxDevices) + " devices",
		})
		list = list[:maxDevices]
	}
	return list, passedOver
}

// named is the device or image that a user has named. What a link in /dev leads to is what
// the kernel knows; the path stays the user's.
func (d *devices) named(file string) candidate {
	name, inRoot := "", strings.TrimPrefix(file, "/")
	if strings.HasPrefix(file, "/dev/") { // "sr0" alone is an image of that name
		name = deviceName(file)
	}
	if target, err := fs.ReadLink(d.fsys, inRoot); err == nil && name != "" {
		name = path.Base(target)
	}
	c := d.candidate(name)
	c.path = file
	info, err := fs.Stat(d.fsys, inRoot)
	c.kernel = err == nil && info.Mode()&fs.ModeDevice != 0 // the kernel mounts no image
	return c
}

// candidate is the device of that name. The kernel may read an optical one too.
func (d *devices) candidate(name string) candidate {
	c := candidate{path: devicePath(name), kernel: d.isOptical(name)}
	number := d.attribute(name, "dev")
	for i, m := range d.mounts {
		// A mount's source is what its maker wrote there, which of a FUSE may be any
		// user: it counts for want of a number only.
		same := m.device == number
		if number == "" {
			same = m.isDisc() && m.source == c.path
		}
		if same && m.root == "/" && !m.isHidden(d.mounts[i+1:]) {
			c.mounts = append(c.mounts, m.point)
		}
	}
	return c
}

// unfit says why a device that is not optical is no candidate, "" if it is one. What can
// be written may be a user's: anybody can put an ovf-env.xml on a data disk.
func (d *devices) unfit(name string) string {
	sectors, err := strconv.ParseInt(d.attribute(name, "size"), 10, 64)
	holders, _ := fs.ReadDir(d.fsys, blockDir+name+"/holders") // not there: nobody holds it
	switch {
	case err != nil:
		return "nothing is known about it"
	case !d.has(name, "device"): // loop, zram, device mapper
		return "it is virtual"
	case strings.HasPrefix(name, "fd"): // an empty one takes seconds to say so
		return "it is a floppy drive"
	case d.attribute(name, "hidden") == "1":
		return "it is hidden"
	case d.attribute(name, "ro") != "1" && d.attribute(name, "removable") != "1":
		return "it is neither read-only nor removable"
	case sectors > maxDevice/sectorSize:
		return "it is larger than " + strconv.Itoa(maxDevice>>20) + " MiB"
	case len(holders) > 0:
		return "it is part of " + holders[0].Name()
	}
	return ""
}

func (d *devices) partitions(name string) []string {
	var parts []string
	entries, _ := fs.ReadDir(d.fsys, blockDir+name) // the device has just gone
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), name) && d.has(name+"/"+entry.Name(), "partition") {
			parts = append(parts, entry.Name())
		}
	}
	slices.SortFunc(parts, natural)
	return parts
}

// isOptical: by its name, by the SCSI device type 5 (SPC, "CD/DVD device"), or because
// the kernel's CD-ROM layer lists it, whatever its driver calls it.
func (d *devices) isOptical(name string) bool {
	return isOpticalName(name) || d.attribute(name, "device/type") == "5" || slices.Contains(d.drives, name)
}

// isOpticalName recognizes the names of the driver sr, which are the only ones that
// Linux has given to optical drives since IDE's went.
func isOpticalName(name string) bool {
	digits, ok := strings.CutPrefix(name, "sr")
	_, err := strconv.ParseUint(digits, 10, 16)
	return ok && err == nil
}

// listed returns the "drive name" line of the CD-ROM layer's own table.
func (d *devices) listed() []string {
	for line := range strings.Lines(readText(d.fsys, "proc/sys/dev/cdrom/info", maxAttribute)) {
		if names, ok := strings.CutPrefix(line, "drive name:"); ok {
			return strings.Fields(names)
		}
	}
	return nil
}

// unlabeled is 0 for a device with a label, else 1.
func (d *devices) unlabeled(c candidate) int {
	if _, labeled := d.labels[deviceName(c.path)]; labeled {
		return 0
	}
	return 1
}

func (d *devices) has(name, attribute string) bool {
	_, err := fs.Stat(d.fsys, blockDir+name+"/"+attribute)
	return err == nil
}

func (d *devices) attribute(name, attribute string) string {
	return strings.TrimSpace(readText(d.fsys, blockDir+name+"/"+attribute, maxAttribute))
}

// devicePath: sysfs writes "!" for a slash in a device's name.
func devicePath(name string) string { return "/dev/" + strings.ReplaceAll(name, "!", "/") }

func deviceName(devicePath string) string {
	return strings.ReplaceAll(strings.TrimPrefix(devicePath, "/dev/"), "/", "!")
}

// readLabels reads udev's links by label; a machine without udev has none.
func readLabels(fsys fs.FS) map[string]string {
	const dir = "dev/disk/by-label"
	labels := map[string]string{}
	entries, _ := fs.ReadDir(fsys, dir)
	for _, entry := range entries {
		if target, err := fs.ReadLink(fsys, dir+"/"+entry.Name()); err == nil {
			labels[path.Base(target)] = entry.Name()
		}
	}
	return labels
}

// readText reads a small file; one that cannot be read is empty.
func readText(fsys fs.FS, name string, limit int64) string {
	f, err := fsys.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	b, _ := io.ReadAll(io.LimitReader(f, limit)) // what was read before the failure counts
	return string(b)
}

// natural orders sr2 before sr10.
func natural(a, b string) int {
	wordA, numberA := cutNumber(a)
	wordB, numberB := cutNumber(b)
	return cmp.Or(
		strings.Compare(wordA, wordB),
		cmp.Compare(len(numberA), len(numberB)),
		strings.Compare(numberA, numberB),
	)
}

func cutNumber(name string) (word, number string) {
	word = strings.TrimRight(name, "0123456789")
	return word, name[len(word):]
}
