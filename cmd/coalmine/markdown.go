package main

import (
	"regexp"
	"strings"
)

// foldMarkdown breaks the paragraphs and list items of a Markdown text anew, for a terminal of this width. Headings, tables and
// code stay as they are. A width of 0 leaves the text alone.
func foldMarkdown(text string, width int) string {
	if width <= 0 {
		return text
	}
	f := wrapper{width: width, item: regexp.MustCompile(`^ *(?:[-*]|[0-9]+\.) +`)}
	for line := range strings.SplitSeq(text, "\n") {
		f.take(line)
	}
	f.end()
	return strings.Join(f.lines, "\n")
}

// folder gathers a paragraph until it ends.
type wrapper struct {
	width int
	// item is what a list item begins with; its text hangs behind it.
	item  *regexp.Regexp
	lines []string
	code  bool
	// sign stands before the paragraph's first line, and as much space before the others.
	sign, paragraph string
}

func (f *wrapper) take(line string) {
	trimmed := strings.TrimSpace(line)
	fence := strings.HasPrefix(trimmed, "```")
	switch sign := f.item.FindString(line); {
	case fence || f.code || trimmed == "" || trimmed[0] == '|' || trimmed[0] == '#':
		f.end()
		f.lines = append(f.lines, line)
		f.code = f.code != fence
	case sign != "":
		f.end()
		f.sign, f.paragraph = sign, line[len(sign):]
	case f.paragraph == "":
		f.sign, f.paragraph = line[:len(line)-len(strings.TrimLeft(line, " "))], trimmed
	default:
		f.paragraph += " " + trimmed
	}
}

// end writes the paragraph that was gathered.
func (f *wrapper) end() {
	if f.paragraph == "" {
		return
	}
	for _, words := range wrapText(f.paragraph, f.width-len(f.sign)) {
		f.lines = append(f.lines, f.sign+words)
		f.sign = strings.Repeat(" ", len(f.sign))
	}
	f.sign, f.paragraph = "", ""
}
