// Package spelling guesses which word was meant by one that is not known.
package spelling

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest are the candidates that are typing slips away from a word, nearest first, equally near ones in their order: at most a
// third of its letters differ, one at least. Capitals count as small letters.
func Nearest(word string, candidates []string) []string {
	type guess struct {
		word  string
		slips int
	}
	var guesses []guess
	for _, c := range candidates {
		if slips := Slips(word, c); slips <= max(1, len(word)/3) {
			guesses = append(guesses, guess{c, slips})
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(a.slips, b.slips) })
	var words []string
	for _, g := range guesses {
		words = append(words, g.word)
	}
	return words
}

// Slips counts the letters to insert, delete or change that make one word of the other (Levenshtein), capitals being small letters.
func Slips(a, b string) int {
	return levenshtein.ComputeDistance(strings.ToLower(a), strings.ToLower(b))
}
