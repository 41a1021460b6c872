package guardrail

import (
	"reflect"
	"strings"
)

// closest returns the field that a misspelt key most likely stands for, or "" if none is similar.
func closest(key string, fields map[string]reflect.Type) string {
	if len(key) > 64 {
		return ""
	}
	best, distance := "", 1+len(key)/3
	for name := range fields {
		d := editDistance(strings.ToLower(key), strings.ToLower(name))
		if d < distance || d == distance && (best == "" || name < best) {
			best, distance = name, d
		}
	}
	return best
}

// editDistance returns the number of insertions, deletions, substitutions and transpositions of
// neighbours that turn a into b (the optimal string alignment distance).
func editDistance(a, b string) int {
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
