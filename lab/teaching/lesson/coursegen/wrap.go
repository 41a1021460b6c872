package main

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxColumns is the width of prose in Markdown.
const maxColumns = 100

var bullet = regexp.MustCompile(`^(?:- |\d+\. |> )?`)

// wrapLines breaks the lines of a page that are longer than prose may be. Tables and code stay.
func wrapLines(page string) string {
	var out []string
	for _, line := range strings.Split(page, "\n") {
		isProse := !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "#")
		if utf8.RuneCountInString(line) <= maxColumns || !isProse {
			out = append(out, line)
			continue
		}
		hang := strings.Repeat(" ", len(bullet.FindString(line)))
		if strings.HasPrefix(line, "> ") {
			hang = "> "
		}
		at := ""
		for _, word := range strings.Fields(line) {
			switch {
			case at == "":
				at = word
			case utf8.RuneCountInString(at)+1+utf8.RuneCountInString(word) > maxColumns:
				out = append(out, at)
				at = hang + word
			default:
				at += " " + word
			}
		}
		out = append(out, at)
	}
	return strings.Join(out, "\n")
}
