// Package wrap breaks text into lines of a terminal.
package wrap

import (
	"strings"

	"coalmine/lab/format"
	"coalmine/tui/canvas"
)

// Text breaks a text between words into lines of at most width columns. It collapses spaces.
func Text(text string, width int) []string {
	runes := []rune(text)
	var lines []string
	for _, words := range Words(runes, width) {
		line := ""
		for i, w := range words {
			if i > 0 {
				line += " "
			}
			line += string(runes[w.From:w.To])
		}
		lines = append(lines, line)
	}
	return lines
}

// Word is a range of runes.
type Word struct{ From, To int }

// Words breaks a text into lines of words that take at most width columns with one space between
// them. A number and its unit are one word (12 480, 25 %, 49 s); a word longer than a line is
// broken, between its parts if it has any.
func Words(text []rune, width int) [][]Word {
	width = max(2, width) // a wide rune must fit
	var lines [][]Word
	var line []Word
	used := 0
	end := func() {
		if len(line) > 0 {
			lines = append(lines, line)
		}
		line, used = nil, 0
	}
	for _, word := range split(text) {
		for columns(text[word.From:word.To]) > width {
			end()
			n := breakAt(text[word.From:word.To], fitting(text[word.From:word.To], width))
			line = []Word{{word.From, word.From + n}}
			word.From += n
			end()
		}
		w := columns(text[word.From:word.To])
		if len(line) > 0 && used+1+w > width {
			end()
		}
		if len(line) > 0 {
			used++
		}
		line, used = append(line, word), used+w
	}
	end()
	return lines
}

// split splits a text at spaces, except between a number and its unit.
func split(text []rune) []Word {
	var all []Word
	from := 0
	cut := func(to int) {
		if to > from {
			all = append(all, Word{from, to})
		}
		from = to + 1
	}
	for i, r := range []rune(format.Glue(string(text))) {
		if r == ' ' || r == '\n' {
			cut(i)
		}
	}
	cut(len(text))
	return all
}

func columns(text []rune) int {
	n := 0
	for _, r := range text {
		n += canvas.RuneWidth(r)
	}
	return n
}

// breakAt returns after how many runes a word is broken of which n fit: after the last mark between
// parts in the second half of them, as in names of hosts and files.
func breakAt(word []rune, n int) int {
	for i := n; i > n/2; i-- {
		if strings.ContainsRune("./-_:=&,", word[i-1]) {
			return i
		}
	}
	return n
}

// fitting returns how many runes fit into a width.
func fitting(text []rune, width int) int {
	used := 0
	for i, r := range text {
		if used += canvas.RuneWidth(r); used > width {
			return i
		}
	}
	return len(text)
}
