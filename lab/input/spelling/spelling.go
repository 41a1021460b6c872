// Package spelling measures how similar words are, for suggestions in error messages.
package spelling

import "strings"

// Distance returns the number of insertions, deletions, substitutions and transpositions of
// neighbours that turn a into b (the optimal string alignment distance).
func Distance(a, b string) int {
	older, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitution := last[j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			row[j] = min(last[j]+1, row[j-1]+1, substitution)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, last, row = last, row, older
	}
	return last[len(b)]
}

// maxWord is the length of the longest word that is compared.
const maxWord = 64

// Nearest returns the word that a misspelt one most likely stands for, whatever the case, or "" if
// none is similar: at most one edit for each three characters, and one more.
func Nearest(word string, words []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, distance := "", 1+len(word)/3
	for _, w := range words {
		d := Distance(strings.ToLower(word), strings.ToLower(w))
		if d < distance || d == distance && (best == "" || w < best) {
			best, distance = w, d
		}
	}
	return best
}
