package discimage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestUDF reads each image as strictly as the standard is, which the tools are not.
func TestUDF(t *testing.T) {
	t.Parallel()
	for name, disc := range discs(Format.hasUDF) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			d := &udfDisc{T: t, image: image, found: map[string]string{}, links: map[int]int{}, ids: map[uint64]bool{}}
			d.recognition(disc.format)
			d.volume()
			d.fileSet()
			d.directory(d.root, d.root, "")
			d.checkLinks()
			d.checkIntegrity()
			sameContents(t, d.found, contents(t, disc.files))
		})
	}
}

type udfDisc struct {
	*testing.T

	image         []byte
	start, length int // Of the partition.
	root          int
	used          []bool // Blocks of the partition.
	found         map[string]string
	links         map[int]int // To file entries, by block.
	ids           map[uint64]bool
	directories   int
	integrity     []byte
}

func (d *udfDisc) sector(at int) []byte { return d.image[at*sectorSize : (at+1)*sectorSize] }

func le16(b []byte) int { return int(binary.LittleEndian.Uint16(b)) }
func le32(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }

// same fails the test if two values differ.
func (d *udfDisc) same(what string, got, want any) {
	d.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.Errorf("%s is %v, want %v", what, got, want)
	}
}

// tag checks that of a descriptor, which must be as long as given and followed by zeros, if
// that is all that b has.
func (d *udfDisc) tag(b []byte, id, location, length int) []byte {
	d.Helper()
	sum, check := 0, uint16(0)
	for i, octet := range b[:16] {
		if i != 4 {
			sum += int(octet)
		}
	}
	// As in the informative annex: bit by bit, with the polynomial 0x1021.
	for _, octet := range b[16:length] {
		for bit := 7; bit >= 0; bit-- {
			carry := check>>15 != uint16(octet>>bit&1)
			if check <<= 1; carry {
				check ^= 0x1021
			}
		}
	}
	d.same("tag identifier", le16(b), id)
	d.same("descriptor version", le16(b[2:]), 2)
	d.same("tag checksum", b[4], sum%256)
	d.same("reserved", b[5], 0)
	d.same("tag serial number", le16(b[6:]), 0)
	d.same("descriptor CRC", le16(b[8:]), check)
	d.same("descriptor CRC length", le16(b[10:])+16, length)
	d.same("tag location", le32(b[12:]), location)
	if len(bytes.Trim(b[length:], "\x00")) > 0 {
		d.Errorf("descriptor %d goes on after its %d bytes", id, length)
	}
	return b[:length]
}

func (d *udfDisc) recognition(format Format) {
	want := []string{"\x00BEA01\x01", "\x00NSR02\x01", "\x00TEA01\x01"}
	if format.hasISO9660() {
		want = append([]string{"\x01CD001\x01", "\x02CD001\x01", "\xffCD001\x01"}, want...)
	}
	for i, head := range want {
		d.same("volume structure descriptor", string(d.sector(16 + i)[:7]), head)
	}
	d.same("end of the sequence", d.sector(16 + len(want))[0], 0)
	for i := 16 + len(want); i < 32; i++ {
		d.same("what is between the sequences", len(bytes.Trim(d.sector(i), "\x00")), 0)
	}
}

// volume reads the anchors and both volume descriptor sequences.
func (d *udfDisc) volume() {
	sectors := len(d.image) / sectorSize
	d.same("rest of the last sector", len(d.image)%sectorSize, 0)
	for _, at := range []int{256, sectors - 1} {
		anchor := d.tag(d.sector(at), 2, at, 512)
		d.same("anchor", fmt.Sprint(le32(anchor[16:]), le32(anchor[20:]), le32(anchor[24:]), le32(anchor[28:])), "32768 32 32768 48")
	}
	for _, first := range []int{32, 48} {
		lengths := []int{512, 512, 512, 446, 24, 512}
		for i, id := range []int{1, 4, 5, 6, 7, 8} {
			b := d.tag(d.sector(first+i), id, first+i, lengths[i])
			if id != 8 {
				d.same("sequence number", le32(b[16:]), i+1)
			}
			if !bytes.Equal(b[16:], d.sector(32 + i)[16:lengths[i]]) {
				d.Errorf("descriptor %d of the reserve sequence differs", id)
			}
		}
	}
	primary, use, partition, logical := d.sector(32), d.sector(33), d.sector(34), d.sector(35)
	d.same("volume identifier", d.dstring(primary[24:56]), testLabel)
	d.same("implementation use label", d.dstring(use[116:244]), testLabel)
	d.same("implementation use", string(use[21:33])+fmt.Sprint(le16(use[44:])), "*UDF LV Info258")
	d.same("logical volume identifier", d.dstring(logical[84:212]), testLabel)
	set := d.dstring(primary[72:200])
	d.same("time in the volume set identifier", set[:8], fmt.Sprintf("%08x", testTime().Unix()))
	d.same("label in the volume set identifier", set[16:], testLabel)
	d.same("set and levels", fmt.Sprint(le16(primary[56:]), le16(primary[58:]), le16(primary[60:]), le16(primary[62:])), "1 1 2 3")
	d.same("character sets", fmt.Sprint(le32(primary[64:]), le32(primary[68:])), "1 1")
	d.timestamp(primary[376:])
	for _, charspec := range [][]byte{primary[200:264], primary[264:328], use[52:116], logical[20:84]} {
		d.charspec(charspec)
	}
	d.same("partition flags and number", fmt.Sprint(le16(partition[20:]), le16(partition[22:])), "1 0")
	d.same("partition contents", strings.TrimRight(string(partition[24:56]), "\x00"), "\x00+NSR02")
	d.same("access type", le32(partition[184:]), 1)
	d.start, d.length = le32(partition[188:]), le32(partition[192:])
	d.used = make([]bool, d.length)
	d.same("end of the partition", d.start+d.length, sectors-1-150)
	d.same("block size", le32(logical[212:]), 2048)
	d.domain(logical[216:248])
	d.same("file set", fmt.Sprint(le32(logical[248:]), le32(logical[252:]), le16(logical[256:])), "4096 0 0")
	d.same("partition maps", fmt.Sprint(le32(logical[264:]), le32(logical[268:])), "6 1")
	d.same("partition map", logical[440:446], []byte{1, 6, 1, 0, 0, 0})
	d.same("integrity sequence", fmt.Sprint(le32(logical[432:]), le32(logical[436:])), "8192 64")
	d.integrity = d.tag(d.sector(64), 9, 64, 134)
	d.tag(d.sector(65), 8, 65, 512)
}

func (d *udfDisc) domain(b []byte) {
	d.same("domain", strings.TrimRight(string(b[:24]), "\x00"), "\x00*OSTA UDF Compliant")
	d.same("domain suffix", b[24:], []byte{2, 1, 1, 0, 0, 0, 0, 0})
}

func (d *udfDisc) charspec(b []byte) {
	d.same("character set", strings.TrimRight(string(b), "\x00"), "\x00OSTA Compressed Unicode")
}

func (d *udfDisc) timestamp(b []byte) {
	d.same("time", b[:12], []byte{0, 0x10, 0xE8, 0x07, 2, 29, 23, 58, 57, 0, 0, 0})
}

func (d *udfDisc) dstring(b []byte) string {
	text, last := b[:len(b)-1], int(b[len(b)-1])
	d.same("rest of a dstring", len(bytes.Trim(text[last:], "\x00")), 0)
	return d.cs0(text[:last])
}

func (d *udfDisc) cs0(b []byte) string {
	var units []uint16
	switch {
	case len(b) == 0:
		return ""
	case b[0] == 8:
		for _, octet := range b[1:] {
			units = append(units, uint16(octet))
		}
	case b[0] == 16 && len(b)%2 == 1:
		for i := 1; i < len(b); i += 2 {
			units = append(units, binary.BigEndian.Uint16(b[i:]))
		}
	default:
		d.Errorf("compression id %d with %d bytes", b[0], len(b))
	}
	return string(utf16.Decode(units))
}

// blocks reads an extent of the partition, no block of which may be in another one.
func (d *udfDisc) blocks(block, length int) []byte {
	for i := block; i < block+(length+sectorSize-1)/sectorSize; i++ {
		if i >= d.length || d.used[i] {
			d.Fatalf("block %d is outside of the partition, or used twice", i)
		}
		d.used[i] = true
	}
	b := d.image[(d.start+block)*sectorSize:]
	rest := bytes.Trim(b[length:(length+sectorSize-1)/sectorSize*sectorSize], "\x00")
	d.same("what follows in the last block", len(rest), 0)
	return b[:length]
}

func (d *udfDisc) fileSet() {
	b := d.tag(d.blocks(0, sectorSize), 256, 0, 512)
	d.tag(d.blocks(1, sectorSize), 8, 1, 512)
	d.timestamp(b[16:])
	d.same("interchange levels", fmt.Sprint(le16(b[28:]), le16(b[30:]), le32(b[32:]), le32(b[36:])), "3 3 1 1")
	d.same("logical volume identifier", d.dstring(b[112:240]), testLabel)
	d.same("file set identifier", d.dstring(b[304:336]), testLabel)
	d.charspec(b[48:112])
	d.charspec(b[240:304])
	d.domain(b[416:448])
	d.same("root", fmt.Sprint(le32(b[400:]), le16(b[408:])), "2048 0")
	d.root = le32(b[404:])
}

// entry reads a file entry and what it describes.
func (d *udfDisc) entry(block int, kind byte, permissions int) []byte {
	sector := d.blocks(block, sectorSize)
	b := d.tag(sector, 261, block, 176+le32(sector[172:]))
	d.same("ICB tag", b[16:36], []byte{0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0})
	d.same("user and group", fmt.Sprint(le32(b[36:]), le32(b[40:])), "0 0")
	d.same("permissions", le32(b[44:]), permissions)
	for _, at := range []int{72, 84, 96} {
		d.timestamp(b[at:])
	}
	d.same("checkpoint", le32(b[108:]), 1)
	id := binary.LittleEndian.Uint64(b[160:])
	if d.ids[id] || (id == 0) != (block == d.root) || id > 0 && id < 16 {
		d.Errorf("unique id %d", id)
	}
	d.ids[id] = true
	d.links[-block] = le16(b[48:])
	length := le32(b[56:])
	d.same("length, high part", le32(b[60:]), 0)
	d.same("blocks recorded", le32(b[64:]), (length+sectorSize-1)/sectorSize)
	if length == 0 {
		d.same("size of descriptors", le32(b[172:]), 0)
		return nil
	}
	d.same("size of descriptors", le32(b[172:]), 8)
	d.same("extent", le32(b[176:]), length)
	return d.blocks(le32(b[180:]), length)
}

func (d *udfDisc) directory(block, parent int, path string) {
	d.directories++
	listing := d.entry(block, 4, 0b00101_00101_00101)
	for at := 0; at < len(listing); {
		b := listing[at:]
		length := (38 + int(b[19]) + le16(b[36:]) + 3) / 4 * 4
		first := le32(d.sector(d.start + block)[180:])
		b = d.tag(b[:length], 257, first+at/sectorSize, length)
		name, child := d.cs0(b[38:38+int(b[19])]), le32(b[24:])
		d.same("file version", le16(b[16:]), 1)
		d.same("entry", fmt.Sprint(le32(b[20:]), le16(b[28:])), "2048 0")
		d.links[child]++
		switch characteristics := b[18]; {
		case at == 0:
			d.same("parent", fmt.Sprint(characteristics, name, child), fmt.Sprint(10, "", parent))
		case characteristics == 2:
			d.found[path+name+"/"] = ""
			d.directory(child, block, path+name+"/")
		case characteristics == 0:
			d.found[path+name] = string(d.entry(child, 5, 0b00100_00100_00100))
		default:
			d.Errorf("characteristics %d", characteristics)
		}
		at += length
	}
}

func (d *udfDisc) checkLinks() {
	for block, links := range d.links {
		if block < 0 {
			d.same("links", links, d.links[-block])
		}
	}
}

func (d *udfDisc) checkIntegrity() {
	b := d.integrity
	d.timestamp(b[16:])
	d.same("integrity type", le32(b[28:]), 1)
	d.same("next integrity extent", fmt.Sprint(le32(b[32:]), le32(b[36:])), "0 0")
	next := binary.LittleEndian.Uint64(b[40:])
	for id := range d.ids {
		if id >= next {
			d.Errorf("the next unique id is %d, and %d is there", next, id)
		}
	}
	d.same("partitions", le32(b[72:]), 1)
	d.same("implementation use", le32(b[76:]), 46)
	d.same("free space and size", fmt.Sprint(le32(b[80:]), le32(b[84:])), fmt.Sprint(0, d.length))
	d.same("files", le32(b[120:]), len(d.found)-d.directories+1)
	d.same("directories", le32(b[124:]), d.directories)
	d.same("revisions", fmt.Sprint(le16(b[128:]), le16(b[130:]), le16(b[132:])), "258 258 258")
	for block, used := range d.used {
		if !used {
			d.Errorf("block %d of the partition is nobody's", block)
		}
	}
}
