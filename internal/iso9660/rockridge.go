package iso9660

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov/internal/discfs"
)

// The signatures of Rock Ridge.
const (
	entryCL signature = 'C'<<8 | 'L' // child link
	entryNM signature = 'N'<<8 | 'M' // alternate name
	entryPX signature = 'P'<<8 | 'X' // POSIX file attributes
	entryRE signature = 'R'<<8 | 'E' // relocated directory
	entryTF signature = 'T'<<8 | 'F' // time stamps
	entryZF signature = 'Z'<<8 | 'F' // of the extension zisofs: a compressed file
)

const (
	// maxName bounds a name. File systems have names of up to 255 characters, which are at
	// most 1020 bytes.
	maxName = 1024
	// skipXA is the length of what CD-ROM XA has in front of the first entry (SUSP, 5.3).
	skipXA = 14

	nameContinues = 1 // NM's flag CONTINUE (RRIP, 4.1.4)

	// The file types of PX (RRIP, 4.1.1), as in POSIX.
	typeMask         = 0o170000
	typeRegular      = 0o100000
	typeDirectory    = 0o040000
	typeNotSpecified = 0

	// The time stamps of TF (RRIP, 4.1.6).
	stampModified = 1 << 1
	stampLong     = 1 << 7
)

// errNoRockRidge is why plain names or Joliet's are used.
var errNoRockRidge = errors.New("no Rock Ridge")

// findRockRidge looks at the root directory's own record, the first one: an SP entry says
// that the System Use fields are of SUSP and how much to skip in each (SUSP, 5.3), an ER
// entry that Rock Ridge is in them (5.5).
func (t *tree) findRockRidge(root record) (skip int, err error) {
	own, err := t.ownRecord(root.location * t.blockSize)
	if err != nil {
		return 0, err
	}
	area := own.systemUse
	if !beginsSUSP(area) {
		if len(area) < skipXA || !beginsSUSP(area[skipXA:]) {
			return 0, errNoRockRidge
		}
		area = area[skipXA:]
	}
	skip, found := int(area[6]), false
	err = (&entries{tree: t}).each(area, func(s signature, data []byte) error {
		if s == entryER && isRockRidge(data) {
			found = true
		}
		return nil
	})
	if err == nil && !found {
		err = errNoRockRidge
	}
	return skip, err
}

// beginsSUSP reports whether an area begins with an SP entry: length 7, version 1, two
// check bytes and LEN_SKP.
func beginsSUSP(area []byte) bool {
	return len(area) >= 7 && string(area[:6]) == "SP\x07\x01\xbe\xef"
}

// isRockRidge reports whether an ER entry has an identifier of RRIP: that of its first
// edition, as almost every disc, of the second (RRIP, 4.3), or as some writers have it.
func isRockRidge(data []byte) bool {
	// Lengths of the identifier, of the descriptor and of the source, version.
	if len(data) < 4 || len(data) < 4+int(data[0]) {
		return false
	}
	switch string(data[4 : 4+int(data[0])]) {
	case "RRIP_1991A", "IEEE_P1282", "IEEE_1282":
		return true
	}
	return false
}

// ownRecord reads the first record of the directory there, which describes itself.
func (t *tree) ownRecord(at int64) (record, error) {
	sector := make([]byte, sectorSize)
	if err := t.read(sector, at); err != nil {
		return record{}, err
	}
	r, err := parseRecord(sector)
	if err != nil {
		return record{}, err
	}
	if !r.self() || !r.directory() {
		return record{}, discfs.Damaged("a directory does not begin with itself")
	}
	return r, nil
}

// moved returns the node of a directory that was found by its CL entry, which has nothing
// but the location.
func (t *tree) moved(dir *discfs.Node) (*discfs.Node, error) {
	own, err := t.ownRecord(dir.ID)
	if err != nil {
		return nil, err
	}
	return t.directory(own), nil
}

// attributes are what the Rock Ridge entries of a record say.
type attributes struct {
	name     []byte
	fileType int64
	// child: a directory that was moved to make the tree less deep has its place here, and
	// block is where it is.
	child bool
	block int64
	// moved: the directory's place is elsewhere.
	moved      bool
	compressed bool
	modified   time.Time
}

// attributes returns what the entries of the record say.
func (e *entries) attributes(r record) (attributes, error) {
	var a attributes
	err := e.each(r.systemUse[min(e.tree.skip, len(r.systemUse)):], a.add)
	return a, err
}

func (a *attributes) add(s signature, data []byte) error {
	switch s {
	case entryNM:
		return a.addName(data)
	case entryPX:
		if len(data) < 8 {
			return errEntryShort
		}
		a.fileType = bothOrders(data) & typeMask
	case entryCL: // RRIP, 4.1.5.1
		if len(data) < 8 {
			return errEntryShort
		}
		a.child, a.block = true, bothOrders(data)
	case entryRE: // RRIP, 4.1.5.3
		a.moved = true
	case entryTF:
		a.modified = modificationTime(data)
	case entryZF:
		a.compressed = true
	default: // Whatever else there may be is for others.
	}
	return nil
}

func (a *attributes) addName(data []byte) error {
	if len(data) == 0 {
		return errEntryShort
	}
	// CURRENT, PARENT and a flag for host names replace the name's text with something that
	// is no name of a file; the identifier then has to do.
	if data[0]&^nameContinues != 0 {
		return nil
	}
	if len(a.name)+len(data)-1 > maxName {
		return discfs.Damaged("a name is too long")
	}
	a.name = append(a.name, data[1:]...)
	return nil
}

// shown reports whether the file is one that [discfs] has: not a symbolic link, a device or
// the like.
func (a *attributes) shown() bool {
	if a.moved {
		return false
	}
	switch a.fileType {
	case typeRegular, typeDirectory, typeNotSpecified:
		return true
	}
	return a.child
}

// apply completes the node of a record.
func (a *attributes) apply(t *tree, r record, node *discfs.Node) {
	if a.child {
		// How long it is, its own record says, when it is listed.
		*node = discfs.Node{Dir: true, ID: a.block * t.blockSize, ModTime: node.ModTime}
	}
	node.Name = strings.ToValidUTF8(string(a.name), "\ufffd")
	if node.Name == "" {
		node.Name = plainName(r)
	}
	if !a.modified.IsZero() {
		node.ModTime = a.modified
	}
}

// modificationTime returns the second of the time stamps that TF's flags announce, or zero.
func modificationTime(data []byte) time.Time {
	if len(data) == 0 || data[0]&stampModified == 0 {
		return time.Time{}
	}
	length := 7
	if data[0]&stampLong != 0 {
		length = 17
	}
	at := 1 + length*bits.OnesCount8(data[0]&(stampModified-1))
	if len(data) < at+length {
		return time.Time{}
	}
	if length == 7 {
		return shortTime(data[at:])
	}
	return longTime(data[at : at+length])
}

// longTime reads the digits of ECMA-119, 8.4.26.1: year, month, day, hour, minute, second,
// hundredths, and the offset from Greenwich in quarters of an hour.
func longTime(b []byte) time.Time {
	local, err := time.Parse("20060102150405", string(b[:14]))
	hundredths, notNumber := strconv.Atoi(string(b[14:16]))
	if err != nil || notNumber != nil {
		return time.Time{}
	}
	return local.Add(time.Duration(hundredths)*10*time.Millisecond - fromGreenwich(b[16]))
}
