package discimage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestISO9660 reads each image as strictly as the standards are, which the tools are not.
func TestISO9660(t *testing.T) {
	t.Parallel()
	for name, disc := range discs(Format.hasISO9660) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			for sector, joliet := range map[int]bool{16: false, 17: true} {
				d := &isoDisc{T: t, image: image, joliet: joliet, found: map[string]string{}, tables: map[int]string{}}
				d.descriptor(sector)
				sameContents(t, d.found, contents(t, disc.files))
			}
			if got := image[18*sectorSize : 19*sectorSize]; string(got) != "\xffCD001\x01"+strings.Repeat("\x00", sectorSize-7) {
				t.Errorf("the terminator is %x", got[:16])
			}
		})
	}
}

type isoDisc struct {
	*testing.T

	image  []byte
	joliet bool
	found  map[string]string
	// tables has the entry of each directory for the path table, by its sector.
	tables  map[int]string
	listing []int
}

func (d *isoDisc) same(what string, got, want any) {
	d.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.Errorf("%s is %v, want %v", what, got, want)
	}
}

// both16 and both32 are numbers in either order.
func (d *isoDisc) both16(b []byte) int {
	d.Helper()
	d.same("the big-endian half", binary.BigEndian.Uint16(b[2:]), le16(b))
	return le16(b)
}

func (d *isoDisc) both32(b []byte) int {
	d.Helper()
	d.same("the big-endian half", binary.BigEndian.Uint32(b[4:]), le32(b))
	return le32(b)
}

func ucs2String(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, binary.BigEndian.Uint16(b[i:]))
	}
	return string(utf16.Decode(units))
}

// text is a field filled up with blanks.
func (d *isoDisc) text(b []byte) string {
	s := string(b)
	if d.joliet {
		s = ucs2String(b)
		if len(b)%2 == 1 {
			d.same("last octet of an odd field", b[len(b)-1], 0)
		}
	}
	d.same("zeros in a field", strings.Count(s, "\x00"), 0)
	return strings.TrimRight(s, " ")
}

func (d *isoDisc) descriptor(sector int) {
	b := d.image[sector*sectorSize : (sector+1)*sectorSize]
	label, escape := testLabel, "\x00\x00\x00"
	if d.joliet {
		label, escape = testLabel[:16], "%/E"
	}
	d.same("descriptor", string(b[:8]), string(byte(sector-15))+"CD001\x01\x00")
	d.same("label", d.text(b[40:72]), label)
	d.same("escape sequence", string(b[88:91]), escape)
	d.same("other unused fields", len(bytes.Trim(slices.Concat(b[72:80], b[91:120], b[882:]), "\x00")), 0)
	d.same("size", d.both32(b[80:]), len(d.image)/sectorSize)
	d.same("set, number, block", fmt.Sprint(d.both16(b[120:]), d.both16(b[124:]), d.both16(b[128:])), "1 1 2048")
	for at, size := range map[int]int{8: 32, 190: 128, 318: 128, 446: 128, 702: 37, 739: 37, 776: 37} {
		d.same("a field for text", d.text(b[at:at+size]), "")
	}
	d.same("application", d.text(b[574:702]), "*azprov discimage")
	written, never := "2024022923585700\x00", "0000000000000000\x00"
	d.same("times", string(b[813:881]), written+written+never+never)
	d.same("file structure version", b[881], 1)

	root := d.record(b[156:190])
	d.same("root", root.identifier[0]+root.flags[0], 2)
	d.directory(root, root, "")
	d.pathTables(b)
}

type isoRecord struct {
	identifier     []byte
	sector, length int
	flags          []byte
	use            []byte
}

// record reads a directory record (ECMA-119, 9.1).
func (d *isoDisc) record(b []byte) isoRecord {
	b = b[:b[0]]
	name := 33 + int(b[32])
	r := isoRecord{
		sector: d.both32(b[2:]), length: d.both32(b[10:]), flags: b[25:26],
		identifier: b[33:name], use: b[name+1-int(b[32])%2:],
	}
	d.same("odd length", len(b)%2, 0)
	d.same("time", b[18:25], []byte{124, 2, 29, 23, 58, 57, 0})
	d.same("extended attributes, unit, gap", fmt.Sprint(b[1], b[26], b[27]), "0 0 0")
	d.same("volume", d.both16(b[28:]), 1)
	if r.sector+(r.length+sectorSize-1)/sectorSize > len(d.image)/sectorSize {
		d.Fatalf("%q is outside of the image", r.identifier)
	}
	return r
}

func (d *isoDisc) data(r isoRecord) []byte {
	return d.image[r.sector*sectorSize : r.sector*sectorSize+r.length]
}

// directory reads a directory and what is below.
func (d *isoDisc) directory(dir, parent isoRecord, path string) {
	b := d.data(dir)
	d.same("odd length of a directory", len(b)%sectorSize, 0)
	d.tables[dir.sector] = fmt.Sprintf("%q in %d", dir.identifier, parent.sector)
	d.listing = append(d.listing, dir.sector)
	var (
		records []isoRecord
		last    []byte
		links   = 2
	)
	for at := 0; at < len(b); {
		if b[at] == 0 { // No more room in the sector.
			end := (at/sectorSize + 1) * sectorSize
			d.same("rest of a sector", len(bytes.Trim(b[at:end], "\x00")), 0)
			at = end
			continue
		}
		if at%sectorSize+int(b[at]) > sectorSize {
			d.Fatalf("a record in %q crosses the end of a sector", path)
		}
		records = append(records, d.record(b[at:]))
		at += int(b[at])
	}
	d.same("self", records[0].describe(), isoRecord{identifier: []byte{0}, sector: dir.sector, length: dir.length, flags: []byte{2}}.describe())
	d.same("parent", records[1].describe(), isoRecord{identifier: []byte{1}, sector: parent.sector, length: parent.length, flags: []byte{2}}.describe())
	for _, r := range records[2:] {
		key := d.sortKey(r)
		if bytes.Compare(last, key) >= 0 {
			d.Errorf("%q is not in order", r.identifier)
		}
		last = key
		name := d.name(r)
		if r.flags[0] == 2 {
			links++
			d.found[path+name+"/"] = ""
			d.directory(r, dir, path+name+"/")
		} else {
			d.same("flags", r.flags, []byte{0})
			d.found[path+name] = string(d.data(r))
		}
	}
	if !d.joliet {
		d.same("fields of self", d.fields(records[0], path == ""), posix(0o040555, links))
		own := d.record(d.image[parent.sector*sectorSize:])
		d.same("fields of the parent", d.fields(records[1], false), d.fields(own, strings.Count(path, "/") <= 1))
	}
}

func (r isoRecord) describe() string {
	return fmt.Sprintf("%q %d %d %d", r.identifier, r.sector, r.length, r.flags)
}

// sortKey is a name as 9.3 compares it: name and extension, each filled up.
func (d *isoDisc) sortKey(r isoRecord) []byte {
	if d.joliet {
		return r.identifier
	}
	name, _, _ := strings.Cut(string(r.identifier), ";")
	stem, extension, _ := strings.Cut(name, ".")
	return fmt.Appendf(nil, "%-8s%-3s", stem, extension)
}

// name is the name of an entry by Joliet or Rock Ridge.
func (d *isoDisc) name(r isoRecord) string {
	if d.joliet {
		d.same("system use", len(r.use), 0)
		return ucs2String(r.identifier)
	}
	fields := d.fields(r, false)
	attributes, name, ok := strings.Cut(fields, "NM ")
	if !ok {
		d.Errorf("%q has no NM field: %s", r.identifier, fields)
	}
	if r.flags[0] == 0 {
		d.same("attributes", attributes, posix(0o100444, 1))
	}
	return name
}

// posix is what PX and TF of a file say.
func posix(mode, links int) string {
	when := "\x7c\x02\x1d\x17\x3a\x39\x00"
	return fmt.Sprintf("PX %o %d 0 0 TF 14 %q ", mode, links, when+when+when)
}

// fields describes the system use fields of a record (IEEE P1281, P1282).
func (d *isoDisc) fields(r isoRecord, root bool) string {
	var out strings.Builder
	for use := r.use; len(use) >= 4; {
		size := int(use[2])
		field := use[:size]
		use = use[size:]
		d.same("version of a field", field[3], 1)
		switch signature := string(field[:2]); signature {
		case "SP":
			d.same("SP", field, []byte{'S', 'P', 7, 1, 0xBE, 0xEF, 0})
			d.same("SP in the root", root, true)
			root = false
		case "PX":
			d.same("length of PX", size, 36)
			fmt.Fprintf(&out, "PX %o %d %d %d ", d.both32(field[4:]), d.both32(field[12:]), d.both32(field[20:]), d.both32(field[28:]))
		case "TF":
			fmt.Fprintf(&out, "TF %d %q ", field[4], field[5:])
		case "NM":
			d.same("flags of NM", field[4], 0)
			out.WriteString("NM " + string(field[5:]))
		case "CE":
			sector, offset, length := d.both32(field[4:]), d.both32(field[12:]), d.both32(field[20:])
			if offset+length > sectorSize {
				d.Errorf("a continuation of %d bytes at %d crosses the end of a sector", length, offset)
			}
			use = d.image[sector*sectorSize+offset:][:length]
		case "ER":
			texts := []int{int(field[4]), int(field[5]), int(field[6])}
			d.same("length of ER", size, 8+texts[0]+texts[1]+texts[2])
			d.same("ER", string(field[7:8+texts[0]]), "\x01RRIP_1991A")
			d.same("beginnings of the texts", string(field[8+texts[0]])+string(field[8+texts[0]+texts[1]]), "TP")
		default:
			d.Errorf("a field %q", signature)
		}
	}
	d.same("SP not seen", root, false)
	return out.String()
}

// pathTables compares both tables with the directories.
func (d *isoDisc) pathTables(descriptor []byte) {
	length := d.both32(descriptor[132:])
	little := d.image[le32(descriptor[140:])*sectorSize:][:length]
	big := d.image[int(binary.BigEndian.Uint32(descriptor[148:]))*sectorSize:][:length]
	d.same("optional tables", fmt.Sprint(le32(descriptor[144:]), le32(descriptor[152:])), "0 0")
	var (
		sectors []int
		last    []byte
	)
	for at := 0; at < length; at += 8 + int(little[at]) + int(little[at])%2 {
		r, other := little[at:], big[at:]
		sector, parent, identifier := le32(r[2:]), le16(r[6:]), r[8:8+int(r[0])]
		d.same("the sector in the big-endian table", binary.BigEndian.Uint32(other[2:]), sector)
		d.same("the parent in the big-endian table", binary.BigEndian.Uint16(other[6:]), parent)
		d.same("the name in the big-endian table", string(other[8:8+int(other[0])]), string(identifier))
		d.same("extended attributes", r[1]+other[1], 0)
		sectors = append(sectors, sector)
		d.same("entry of the path table", fmt.Sprintf("%q in %d", identifier, sectors[parent-1]), d.tables[sector])
		key := append(binary.BigEndian.AppendUint16(nil, uint16(parent)), identifier...)
		if bytes.Compare(last, key) >= 0 {
			d.Errorf("%q is not in order in the path table", identifier)
		}
		last = key
	}
	slices.Sort(sectors)
	slices.Sort(d.listing)
	d.same("directories in the path table", sectors, d.listing)
}
