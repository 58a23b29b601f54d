// Package nearest finds the word that somebody meant.
package nearest

import "strings"

// Word returns the known word that is most like the one given, "" if none is: at most
// half of its letters wrong, or cut short. Case does not count.
func Word(given string, known []string) string {
	given = strings.ToLower(given)
	best, least := "", 1+len(given)/2
	for _, word := range known {
		lower := strings.ToLower(word)
		d := distance(given, lower)
		if len(given) > 2 && strings.HasPrefix(lower, given) {
			d = 1
		}
		if d < least {
			best, least = word, d
		}
	}
	return best
}

// distance is Levenshtein's, over bytes: the letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
