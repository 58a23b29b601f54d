package emulator

import "strings"

// secretTable is the texts that must never be written down. Most texts hold none of them, and
// it tells that in one pass over a text, not in one for each secret.
type secretTable struct {
	texts []string // longest first
	// heads has a bit for the first two bytes of every text: nearly all places of nearly
	// all texts are done with it.
	heads [1 << 16 / 64]uint64
	// byHead has the texts by their first bytes.
	byHead map[string][]string
}

// newSecretTable makes the table. The texts are at least secretMinimum bytes long.
func newSecretTable(texts []string) *secretTable {
	t := &secretTable{texts: texts, byHead: map[string][]string{}}
	for _, text := range texts {
		at := headOf(text)
		t.heads[at/64] |= 1 << (at % 64)
		head := text[:secretMinimum]
		t.byHead[head] = append(t.byHead[head], text)
	}
	return t
}

func headOf(text string) uint { return uint(text[0])<<8 | uint(text[1]) }

// within reports whether any of the texts is in s.
func (t *secretTable) within(s string) bool {
	for ; len(s) >= secretMinimum; s = s[1:] {
		at := headOf(s)
		if t.heads[at/64]&(1<<(at%64)) == 0 {
			continue
		}
		for _, text := range t.byHead[s[:secretMinimum]] {
			if strings.HasPrefix(s, text) {
				return true
			}
		}
	}
	return false
}
