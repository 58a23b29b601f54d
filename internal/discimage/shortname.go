package discimage

import (
	"slices"
	"strconv"
	"strings"
)

const (
	// The lengths of interchange level 1 (ECMA-119, 10.1), which every reader can take.
	shortStem      = 8
	shortExtension = 3
)

// shortNames gives the entries of a directory upper-case 8.3 names, no two of them the
// same, and returns them in the order of these (ECMA-119, 9.3). Rock Ridge has the real
// names.
func shortNames(children []*node) []isoEntry {
	var (
		entries []isoEntry
		taken   = map[string]bool{}
		// next number to try, so that many files of the same beginning stay cheap.
		next  = map[string]int{}
		order = map[*node][]string{}
	)
	for _, child := range children {
		stem, extension := shortName(child)
		wish := stem + "." + extension
		for taken[stem+"."+extension] {
			next[wish]++
			number := strconv.Itoa(next[wish])
			wished, _, _ := strings.Cut(wish, ".")
			stem = cut(wished, shortStem-len(number)) + number
		}
		taken[stem+"."+extension] = true
		identifier := stem
		if !child.dir {
			// Both separators are there in every file identifier (ECMA-119, 7.5.1).
			identifier += "." + extension + ";1"
		}
		entries = append(entries, isoEntry{node: child, identifier: []byte(identifier)})
		order[child] = []string{stem, extension}
	}
	slices.SortFunc(entries, func(a, b isoEntry) int { return slices.Compare(order[a.node], order[b.node]) })
	return entries
}

// shortName is the wish of one entry. Directories have no extension (ECMA-119, 7.6.1).
func shortName(n *node) (stem, extension string) {
	stem = n.name
	if dot := strings.LastIndexByte(n.name, '.'); dot > 0 && !n.dir {
		stem, extension = n.name[:dot], n.name[dot+1:]
	}
	return cut(dCharacters(stem), shortStem), cut(dCharacters(extension), shortExtension)
}

// dCharacters maps to the set of ECMA-119, 7.4.1.
func dCharacters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, s)
}

func cut(s string, length int) string { return s[:min(len(s), length)] }
