package main

import (
	"fmt"
	"io"

	"github.com/charmbracelet/colorprofile"

	"coalmine/tui/markdown"
	"coalmine/tui/theme"
)

// markdownWriter writes Markdown: laid out and styled on a terminal, unchanged elsewhere.
type markdownWriter struct {
	io.Writer
	// width is the width of the lines, 0 to leave the text alone.
	width int
	theme *theme.Theme
}

// markdownOut returns a writer to standard output. It uses the 16 colours of the terminal's
// palette, which suit any background, so that it need not query the terminal.
func (env *Env) markdownOut() markdownWriter {
	m := markdownWriter{env.Out, min(env.lineWidth(), maxHelpWidth), theme.None()}
	if env.color() {
		m.theme = theme.New(true, colorprofile.ANSI)
	}
	return m
}

// pipeWidth is the width of texts that are laid out where there is no terminal.
const pipeWidth = 80

// laidOut returns a writer that lays Markdown out also where there is no terminal.
func (m markdownWriter) laidOut() markdownWriter {
	if m.width <= 0 {
		m.width = pipeWidth
	}
	return m
}

// markdown writes a text with a line break at its end.
func (m markdownWriter) markdown(text string) {
	if m.width <= 0 {
		fmt.Fprintln(m, text)
		return
	}
	for _, line := range markdown.Render(text, m.width) {
		fmt.Fprintln(m, line.Styled(m.theme))
	}
}

// heading writes a heading of the second level, with a blank line before and after it.
func (m markdownWriter) heading(title string) {
	fmt.Fprintln(m)
	m.markdown("## " + title)
	fmt.Fprintln(m)
}
