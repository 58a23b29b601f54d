package iso9660_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/iso9660"
)

const content = freeAt + 8

// text is a disc's sector content, and "more" the one behind it.
func text(i *image) *image {
	return i.put(content, []byte("text")).put(content+1, []byte("more"))
}

// file is a record of the content "text".
func file(name string, use ...[]byte) row {
	return row{name: name, sector: content, length: 4, use: join(use...)}
}

func TestOpenReadsPlainRecords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("L", 221) // as long as a record can have it
	for _, tc := range []struct {
		name    string
		records []row
		want    files
	}{
		{
			"version and dot",
			[]row{file("A.TXT;1"), file("B.;1"), file("C;32767"), file("D."), file("e")},
			files{"A.TXT": "text", "B": "text", "C": "text", "D": "text", "e": "text"},
		},
		{
			"a semicolon that is the name's",
			[]row{file("A;B"), file("C;"), file("D;1;2")},
			files{"A;B": "text", "C;": "text", "D;1": "text"},
		},
		{"of versions the first", []row{file("A;2"), {name: "A;1", sector: content + 1, length: 4}}, files{"A": "text"}},
		{"a long name", []row{file(long)}, files{long: "text"}},
		{"a name that is not UTF-8", []row{file("\xfcBER.TXT;1")}, files{"\ufffdBER.TXT": "text"}},
		{"nothing left of a name", []row{file(";1"), file("."), file("A")}, files{"A": "text"}},
		{"a path for a name", []row{file("A/B"), file("../C"), file(".."), file("D")}, files{"D": "text"}},
		{"hidden", []row{{name: "A", sector: content, length: 4, flags: isHidden}}, files{"A": "text"}},
		{"associated", []row{{name: "A", sector: content + 1, length: 4, flags: isAssociated}, file("A")}, files{"A": "text"}},
		{"an associated file in sections", []row{
			{name: "A", sector: content + 1, length: 4, flags: isAssociated | isMore},
			{name: "A", sector: content + 1, length: 4, flags: isAssociated},
			file("A"),
		}, files{"A": "text"}},
		{"behind an extended attribute record", []row{{name: "A", sector: content - 2, length: 4, extended: 2}}, files{"A": "text"}},
		{"sections", []row{
			{name: "A", sector: content, length: 4, flags: isMore},
			{name: "A", sector: content + 1, length: 0, flags: isMore},
			{name: "A", sector: content + 1, length: 4, flags: isMore},
			{name: "A", sector: content, length: 2},
			file("B"),
		}, files{"A": "textmorete", "B": "text"}},
		{"nothing", nil, files{}},
		{"an empty file at no place", []row{{name: "A", sector: 1 << 31}}, files{"A": ""}},
		{"a directory", []row{{name: "A.;1", flags: isDir, sector: freeAt}, file("B")}, files{"A.;1/C": "text", "B": "text"}},
		{
			"a directory behind an extended attribute record",
			[]row{{name: "A", flags: isDir, sector: freeAt - 1, extended: 1}},
			files{"A/C": "text"},
		},
		{"no system use field where there would be room for one", []row{file("A", []byte("NM"), []byte{200})}, files{"A": "text"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			volume := open(t, *text(disc(tc.records...).put(freeAt, directory(file("C;1")))))
			if volume.Names() != "plain" || volume.Label() != "LABEL" {
				t.Errorf("%s %q", volume.Names(), volume.Label())
			}
			check(t, volume.FS(), tc.want)
		})
	}
}

// The sections of a file may be in different sectors of the directory, whose length need
// not be a number of sectors.
func TestOpenReadsDirectoriesOfSectors(t *testing.T) {
	t.Parallel()
	records := make([]row, 0, 60)
	want := files{"D/LAST": "textmore", "E/LAST": "textmore", "E/NOT": "text"}
	for n := range 55 {
		name := fmt.Sprint("F", 10+n)
		records = append(records, file(name))
		want["D/"+name], want["E/"+name] = "text", "text"
	}
	records = append(records,
		row{name: "LAST", sector: content, length: 4, flags: isMore},
		row{name: "LAST", sector: content + 1, length: 4}, file("NOT"))
	b := directory(records...)
	if len(b) != 4096 || b[2048+33] != 'L' {
		t.Fatal("the sections are in the same sector")
	}
	part := row{name: "D", flags: isDir, sector: freeAt, length: 2048 + 38}
	whole := row{name: "E", flags: isDir, sector: freeAt, length: 4096}
	check(t, open(t, *text(disc(part, whole)).put(freeAt, b)).FS(), want)
}

func TestOpenReadsBlocksOfOtherSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []byte{2, 4} { // times 256
		blocks := 8 / uint32(size) // per sector
		records := directory(row{name: "\x00", flags: isDir}, row{name: "A;1", sector: content*blocks + 1, length: 7})
		b := *disc().put(content, make([]byte, 4096))
		copy(b[content*2048+int(size)*256:], "content")
		copy(b[rootAt*2048:], records)
		d := b[primaryAt*2048:]
		d[129], d[130] = size, size
		copy(d[156:], row{name: "\x00", flags: isDir, sector: rootAt * blocks}.record())
		check(t, open(t, b).FS(), files{"A": "content"})
	}
}

// The big-endian halves of the numbers are wrong.
func TestOpenTakesLittleEndianNumbers(t *testing.T) {
	t.Parallel()
	b := *text(rockRidge(file("A", ce(freeAt, 3, uint32(len(nm(0, "name")))))))
	b.put(freeAt, join(make([]byte, 3), nm(0, "name")))
	use := bytes.Index(b, []byte("CE\x1c\x01")) + 4
	record := use - 4 - 34
	root := primaryAt*2048 + 156
	for _, at := range []int{
		root + 6, root + 14, record + 6, record + 14, use + 4, use + 12, use + 20, primaryAt*2048 + 128,
	} {
		copy(b[at:], "\xff\xff\xff\xff")
	}
	b[primaryAt*2048+128], b[primaryAt*2048+129] = 0, 8
	check(t, open(t, b).FS(), files{"name": "text"})
}

func TestOpenReadsRockRidge(t *testing.T) {
	t.Parallel()
	child := append([]row{{name: "\x00", flags: isDir, sector: freeAt}}, file("C;1", nm(0, "child")))
	long := strings.Repeat("n", 250)
	chained := join(nm(1, "b"), ce(freeAt+2, 0, 33))
	for _, tc := range []struct {
		name    string
		records []row
		want    files
	}{
		{"a name", []row{file("A;1", nm(0, "ovf-env.xml"))}, files{"ovf-env.xml": "text"}},
		{"an identifier with a padding behind it", []row{file("AB", nm(0, "name"))}, files{"name": "text"}},
		{"a name that looks like a version", []row{file("A;1", nm(0, "a.;1"))}, files{"a.;1": "text"}},
		{"a name in pieces", []row{file("A;1", nm(1, "ovf"), px(0o100644), nm(1, ""), nm(0, "-env"))}, files{"ovf-env": "text"}},
		{"no name", []row{file("A.;1", px(0o100644)), file("B.;1")}, files{"A": "text", "B": "text"}},
		{"a name that is the current directory, the parent or the host", []row{
			file("A;1", nm(2, "")), file("B;1", nm(4, "x")), file("C;1", nm(0x20, "y")),
		}, files{"A": "text", "B": "text", "C": "text"}},
		{"names that are no names", []row{file("A", nm(0, "..")), file("B", nm(0, "a/b")), file("C", nm(0, "."))}, files{}},
		{"a name that is not UTF-8", []row{file("A", nm(0, "\xfcber"))}, files{"\ufffdber": "text"}},
		{"a continuation", []row{file("A", nm(1, "a"), ce(freeAt+1, 8, 9), nm(1, "-"))}, files{"a-name": "text"}},
		{"continuations of continuations", []row{file("A", nm(1, "a"), ce(freeAt+1, 100, 34))}, files{"abc": "text"}},
		{"an empty continuation", []row{file("A", nm(0, "a"), ce(1<<31, 0, 0))}, files{"a": "text"}},
		{"a terminator", []row{file("A", nm(1, "a"), ce(freeAt+1, 8, 9), entry("ST"), nm(0, "b"))}, files{"aname": "text"}},
		{"zeros behind the entries", []row{file("A", nm(0, "a"), make([]byte, 30), nm(0, "b"))}, files{"a": "text"}},
		{"less than an entry behind the entries", []row{file("A", nm(0, "a"), []byte("NM\xff"))}, files{"a": "text"}},
		{"entries of other extensions", []row{file("A", entry("AA", []byte("x")), entry("RR", []byte{9}), nm(0, "a"))}, files{"a": "text"}},
		{"neither files nor directories", []row{
			file("A", px(0o120777)), file("B", px(0o020600)), file("C", px(0o060600)),
			file("D", px(0o010600)), file("E", px(0o140600)), file("F", px(0o600)), file("G", px(0o104755)),
		}, files{"F": "text", "G": "text"}},
		{"a relocated directory", []row{
			file("A", nm(0, "here"), px(0o040755), entry("CL", both(freeAt))),
			{name: "B", flags: isDir, sector: freeAt, use: join(nm(0, "there"), entry("RE"))},
		}, files{"here/child": "text"}},
		{"a relocated directory of an odd type", []row{file("A", px(0o120755), entry("CL", both(freeAt)))}, files{"A/child": "text"}},
		{"sections", []row{
			{name: "A", sector: content, length: 4, flags: isMore, use: nm(0, "a")},
			{name: "A", sector: content + 1, length: 4, use: nm(0, "a")},
		}, files{"a": "textmore"}},
		{"a link in sections", []row{
			{name: "A", sector: content, length: 4, flags: isMore, use: px(0o120777)},
			{name: "A", sector: content + 1, length: 4, use: px(0o120777)},
			file("B"),
		}, files{"B": "text"}},
		{"a name in a continuation of a sector and more", []row{file("A", ce(freeAt+3, 0, 2245))}, files{long: "text"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			i := text(rockRidge(tc.records...)).put(freeAt, directory(child...)).
				put(freeAt+1, join(make([]byte, 8), nm(0, "name"), make([]byte, 100-17), chained)).
				put(freeAt+2, join(nm(0, "c"), make([]byte, 40))).
				put(freeAt+3, join(filler(2048-63), nm(0, long[:200]), nm(0, long[200:])))
			volume := open(t, *i)
			if volume.Names() != "rock ridge" {
				t.Error(volume.Names())
			}
			check(t, volume.FS(), tc.want)
		})
	}
}

// filler is an area of entries that mean nothing.
func filler(length int) []byte {
	var b []byte
	for length-len(b) > 255 {
		b = append(b, entry("XX", make([]byte, 200))...)
	}
	return append(b, entry("XX", make([]byte, length-len(b)-4))...)
}

func TestOpenFindsRockRidge(t *testing.T) {
	t.Parallel()
	sp := func(skip byte) []byte { return entry("SP", []byte{0xbe, 0xef, skip}) }
	for _, tc := range []struct {
		name    string
		use     []byte // of the root directory's own record
		skipped []byte // in front of a file's entries
		names   string
		want    files
	}{
		{"the first edition", join(sp(0), er("RRIP_1991A")), nil, "rock ridge", files{"a": "text"}},
		{"the second edition", join(sp(0), er("IEEE_P1282")), nil, "rock ridge", files{"a": "text"}},
		{"as some have it", join(sp(0), er("IEEE_1282")), nil, "rock ridge", files{"a": "text"}},
		{"beside another extension", join(sp(0), er("AAIP_0200"), er("RRIP_1991A")), nil, "rock ridge", files{"a": "text"}},
		{"in a continuation", join(sp(0), ce(freeAt, 0, 18)), nil, "rock ridge", files{"a": "text"}},
		{"something to skip", join(sp(9), er("RRIP_1991A")), make([]byte, 9), "rock ridge", files{"a": "text"}},
		{"more to skip than there is", join(sp(255), er("RRIP_1991A")), nil, "rock ridge", files{"A": "text"}},
		{"behind the data of CD-ROM XA", join(make([]byte, 14), sp(14), er("RRIP_1991A")), make([]byte, 14), "rock ridge", files{"a": "text"}},
		{"only another extension", join(sp(0), er("AAIP_0200")), nil, "joliet", files{"j": "more"}},
		{"an identifier beyond its entry", join(sp(0), entry("ER", []byte{10, 0, 0, 1}, []byte("RRIP_1991")), []byte("A")), nil, "joliet", files{"j": "more"}},
		{"an empty ER", join(sp(0), entry("ER")), nil, "joliet", files{"j": "more"}},
		{"no SP", er("RRIP_1991A"), nil, "joliet", files{"j": "more"}},
		{"an SP of other check bytes", join(entry("SP", []byte{0xbe, 0xee, 0}), er("RRIP_1991A")), nil, "joliet", files{"j": "more"}},
		{"nothing", nil, nil, "joliet", files{"j": "more"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			self := row{name: "\x00", flags: isDir, sector: rootAt, use: tc.use}
			i := text(discOf(self, file("A", tc.skipped, nm(0, "a")))).put(freeAt, er("RRIP_1991A")).
				joliet("%/E", row{name: wide("j"), sector: content + 1, length: 4})
			volume := open(t, *i)
			label := "LABEL"
			if tc.names == "joliet" {
				label = "Jöliet"
			}
			if volume.Names() != tc.names || volume.Label() != label {
				t.Errorf("%s %q, want %s %q", volume.Names(), volume.Label(), tc.names, label)
			}
			check(t, volume.FS(), tc.want)
		})
	}
}

func TestOpenReadsJoliet(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, escape string
		names        string
		records      []row
		want         files
	}{
		{"level 1", "%/@", "joliet", []row{file(wide("ovf-env.xml;1"))}, files{"ovf-env.xml": "text"}},
		{"level 2", "%/C", "joliet", []row{file(wide("ovf-env.xml"))}, files{"ovf-env.xml": "text"}},
		{"level 3", "%/E", "joliet", []row{file(wide("no extension.;1"))}, files{"no extension": "text"}},
		{"another character set", "%/G", "plain", nil, files{"A": "text"}},
		{"the first edition's enhanced volume", "", "plain", nil, files{"A": "text"}},
		{"a dot of its own", "%/E", "joliet", []row{file(wide("a."))}, files{"a.": "text"}},
		{"beyond the first plane", "%/E", "joliet", []row{file(wide("😀 größe"))}, files{"😀 größe": "text"}},
		{"half a pair", "%/E", "joliet", []row{file("\xd8\x3d\x00a")}, files{"\ufffda": "text"}},
		{"half a character", "%/E", "joliet", []row{file("\x00a\x00")}, files{"a": "text"}},
		{"blanks around", "%/E", "joliet", []row{file(wide(" a "))}, files{" a ": "text"}},
		{"a directory", "%/E", "joliet", []row{{name: wide("d.;1"), flags: isDir, sector: freeAt}}, files{"d.;1/b": "text"}},
		{"Rock Ridge's entries", "%/E", "joliet", []row{file(wide("a"), nm(0, "x"))}, files{"a": "text"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			i := text(disc(file("A"))).put(freeAt, directory(file(wide("b")))).joliet(tc.escape, tc.records...)
			volume := open(t, *i)
			if volume.Names() != tc.names {
				t.Errorf("%s, want %s", volume.Names(), tc.names)
			}
			check(t, volume.FS(), tc.want)
		})
	}
}

// Joliet's blocks may have another size than the primary volume's.
func TestOpenReadsJolietBlocks(t *testing.T) {
	t.Parallel()
	b := *text(disc(file("A"))).joliet("%/E", row{name: wide("j"), sector: content * 4, length: 4})
	d := b[jolietAt*2048:]
	d[129] = 2
	copy(d[156:], row{name: "\x00", flags: isDir, sector: jolietRootAt * 4}.record())
	check(t, open(t, b).FS(), files{"j": "text"})
}

// Of descriptors of the same kind the first counts, in whatever order they are.
func TestOpenTakesTheFirstDescriptor(t *testing.T) {
	t.Parallel()
	other := row{name: "\x00", flags: isDir, sector: freeAt}
	primary := text(disc(file("A"))).put(freeAt, directory(other, file("B")))
	primary.put(primaryAt+1, descriptor(1, "CD001", "OTHER", other)).put(primaryAt+2, descriptor(255, "CD001", "", row{}))
	check(t, open(t, *primary).FS(), files{"A": "text"})

	joliet := text(disc(file("A"))).joliet("%/E", file(wide("j"))).put(freeAt, directory(other, file(wide("other"))))
	last := (*joliet)[jolietAt*2048 : (jolietAt+1)*2048]
	first, second := bytes.Clone(last), bytes.Clone(last)
	copy(second[156:], other.record())
	joliet.put(primaryAt+2, (*joliet)[primaryAt*2048:(primaryAt+1)*2048]).put(primaryAt, first).put(primaryAt+1, second)
	check(t, open(t, *joliet).FS(), files{"j": "text"})

	for n, want := range map[int]error{31: nil, 32: discfs.ErrDamaged} {
		late := text(disc(file("A")))
		// The descriptors end where the root directory begins: it moves.
		root := row{name: "\x00", flags: isDir, sector: 60}
		for boot := range n {
			late.put(primaryAt+boot, descriptor(0, "CD001", "", row{}))
		}
		late.put(primaryAt+n, descriptor(1, "CD001", "", root)).put(60, directory(root, file("A")))
		if _, err := iso9660.Open(bytes.NewReader(*late), int64(len(*late))); !errors.Is(err, want) {
			t.Errorf("behind %d descriptors: %v, want %v", n, err, want)
		}
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("L", 32)
	for _, tc := range [][2]string{
		{"rd_rdfe_stable.150", "rd_rdfe_stable.150"}, {" A B ", "A B"}, {"\x00A\x00\x00", "A"}, {"\xfcBER", "\ufffdBER"}, {"", ""}, {full, full},
	} {
		recorded, want := tc[0], tc[1]
		i := disc().put(primaryAt, descriptor(1, "CD001", recorded, row{name: "\x00", flags: isDir, sector: rootAt}))
		if got := open(t, *i).Label(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// short is an image of which reads end early and do not say why.
type short struct{}

func (short) ReadAt(b []byte, at int64) (int, error) {
	if at != primaryAt*2048 {
		return 1, nil
	}
	return copy(b, descriptor(1, "CD001", "", row{name: "\x00", flags: isDir, sector: rootAt})), nil
}

func TestOpenSeesShortReads(t *testing.T) {
	t.Parallel()
	if _, err := iso9660.Open(short{}, 1<<20); !errors.Is(err, discfs.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

func TestModTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 13, 30, 59, 0, time.UTC)
	west := []byte{124, 2, 29, 8, 0, 59, 0xea} // 5 hours and a half
	east := []byte{124, 2, 29, 18, 30, 59, 20}
	other := []byte{1, 1, 1, 1, 1, 1, 0}
	long := func(s string, zone byte) []byte { return append([]byte(s), zone) }
	for _, tc := range []struct {
		name string
		date []byte
		use  []byte
		want time.Time
	}{
		{"none", nil, nil, time.Time{}},
		{"west of Greenwich", west, nil, at},
		{"east of Greenwich", east, nil, at},
		{"of Rock Ridge", other, entry("TF", []byte{2}, west), at},
		{"behind that of creation", other, entry("TF", []byte{7}, other, east, other), at},
		{"in the long form", other, entry("TF", []byte{0x83}, long("0000000000000000", 0), long("2024022918305950", 20)), at.Add(time.Second / 2)},
		{"a long form of other characters", west, entry("TF", []byte{0x82}, long("2024022913x05900", 0)), at},
		{"a long form of other hundredths", west, entry("TF", []byte{0x82}, long("20240229133059 x", 0)), at},
		{"no modification", west, entry("TF", []byte{5}, other, other), at},
		{"a stamp that is cut off", west, entry("TF", []byte{3}, other, other[:6]), at},
		{"no stamps", west, entry("TF"), at},
		{"an empty stamp", west, entry("TF", []byte{2}, make([]byte, 7)), at},
	} {
		for _, flags := range []byte{0, isDir} {
			r := row{name: "A", sector: freeAt, date: tc.date, use: tc.use, flags: flags}
			got, err := fs.Stat(open(t, *rockRidge(r)).FS(), "A")
			if err != nil || !got.ModTime().Equal(tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, got.ModTime(), tc.want)
			}
		}
	}
	moved := row{name: "A", date: west, use: entry("CL", both(freeAt))}
	if got, err := fs.Stat(open(t, *rockRidge(moved)).FS(), "A"); err != nil || !got.ModTime().Equal(at) || !got.IsDir() {
		t.Errorf("a relocated directory: %v, %v", got.ModTime(), err)
	}
}
