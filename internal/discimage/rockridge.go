package discimage

import "slices"

const (
	// recordLimit is the longest directory record that has an even length (ECMA-119, 9.1.1
	// and 9.1.13).
	recordLimit = 254
	ceSize      = 28 // IEEE P1281, 5.1.

	// Modes of PX (IEEE P1282, 4.1.1): what everyone may read.
	modeDirectory = 0o040555
	modeFile      = 0o100444

	// The texts of the Rock Ridge extension (IEEE P1282, 4.3), of version 1.10, as
	// genisoimage and libisofs have them: nothing here is newer, and old readers know it.
	rockRidgeID     = "RRIP_1991A"
	rockRidgeText   = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
	rockRidgeSource = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  " +
		"SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
)

// continuationArea takes the fields that have no room in a directory record.
type continuationArea struct {
	sector int
	bytes  []byte
}

// add returns the CE field that leads to the fields added (IEEE P1281, 5.1). None crosses
// the end of a sector: readers take what they find in one.
func (c *continuationArea) add(fields []byte) []byte {
	if len(c.bytes)%sectorSize+len(fields) > sectorSize {
		c.bytes = padToSectors(c.bytes)
	}
	ce := systemUseField("CE", ceSize)
	ce.both32(4, c.sector+len(c.bytes)/sectorSize)
	ce.both32(12, len(c.bytes)%sectorSize)
	ce.both32(20, len(fields))
	c.bytes = append(c.bytes, fields...)
	return ce
}

// systemUseField has the header of all fields (IEEE P1281, 4.1).
func systemUseField(signature string, size int) record {
	r := make(record, size)
	r.put(0, []byte(signature))
	r.u8(2, size)
	r.u8(3, 1)
	return r
}

// entryUse are the fields behind the directory record of a file or directory, of which that
// many octets are used already.
func (t *isoTree) entryUse(n *node, used int, area *continuationArea) []byte {
	if !t.rockRidge {
		return nil
	}
	fields, name := t.attributes(n), nameField(n.name)
	if used+len(fields)+len(name) > recordLimit {
		name = area.add(name)
	}
	return append(fields, name...)
}

// selfUse are those of a directory in itself. The root's begin with SP, which says that
// there are such fields, and lead to ER, which says whose they are (IEEE P1281, 5.3 and
// 5.5).
func (t *isoTree) selfUse(dir *isoDirectory, area *continuationArea) []byte {
	if !t.rockRidge {
		return nil
	}
	if dir != dir.parent {
		return t.attributes(dir.node)
	}
	sp := systemUseField("SP", 7)
	sp.put(4, []byte{0xBE, 0xEF})
	er := systemUseField("ER", 8+len(rockRidgeID+rockRidgeText+rockRidgeSource))
	er.u8(4, len(rockRidgeID))
	er.u8(5, len(rockRidgeText))
	er.u8(6, len(rockRidgeSource))
	er.u8(7, 1)
	er.put(8, []byte(rockRidgeID+rockRidgeText+rockRidgeSource))
	return slices.Concat(sp, t.attributes(dir.node), area.add(er))
}

// parentUse are those of the parent of a directory.
func (t *isoTree) parentUse(dir *isoDirectory) []byte {
	if !t.rockRidge {
		return nil
	}
	return t.attributes(dir.parent.node)
}

// attributes are PX and TF. A directory has a link from its parent, one from itself and one
// from each directory in it.
func (t *isoTree) attributes(n *node) []byte {
	mode, links := modeFile, 1
	if n.dir {
		mode, links = modeDirectory, 2+n.subdirectories()
	}
	px := systemUseField("PX", 36) // User and group are 0 (IEEE P1282, 4.1.1).
	px.both32(4, mode)
	px.both32(12, links)

	// The times in the short form (IEEE P1282, 4.1.6).
	const modification, access, attributes = 1 << 1, 1 << 2, 1 << 3
	tf := systemUseField("TF", 5+3*7)
	tf.u8(4, modification|access|attributes)
	for i := range 3 {
		tf.put(5+7*i, isoTime(t.at))
	}
	return slices.Concat(px, tf)
}

// nameField is NM (IEEE P1282, 4.1.4). One is enough: see checkJoliet.
func nameField(name string) []byte {
	nm := systemUseField("NM", 5+len(name))
	nm.put(5, []byte(name))
	return nm
}
