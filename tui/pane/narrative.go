package pane

import (
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/tui/canvas"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// SeverityStyle returns the style of a severity.
func SeverityStyle(t narrative.Severity) theme.Style {
	switch t {
	case narrative.Milestone:
		return theme.Bold
	case narrative.Detail:
		return theme.Muted
	case narrative.Good:
		return theme.Good
	case narrative.Warning:
		return theme.Warn
	case narrative.Bad:
		return theme.Bad
	}
	return theme.Plain
}

// Symbol returns an entry's symbol, so that its severity is visible without colours too.
func Symbol(e narrative.Entry) rune {
	switch e.Kind {
	case narrative.Release:
		return '●'
	case narrative.Advance:
		return '↑'
	case narrative.Hold:
		return '■'
	case narrative.Rollback:
		return '↓'
	case narrative.Promotion:
		return '★'
	case narrative.Wait:
		return '○'
	case narrative.Harm:
		return '▲'
	case narrative.Detection:
		return '◆'
	}
	switch e.Severity {
	case narrative.Good:
		return '✓'
	case narrative.Warning, narrative.Bad:
		return '✗'
	}
	return '·'
}

// entryIndent is the width of the time and the symbol before the text.
const entryIndent = 8

// NarrativeLines draws the latest entries, one line each, the last at the bottom.
func NarrativeLines(a canvas.Area, entries []narrative.Entry, now time.Duration) {
	entries = entries[max(0, len(entries)-a.Height()):]
	for y, e := range entries {
		drawEntryHead(a, y, e, now)
		a.Text(entryIndent, y, entryStyle(e, now), canvas.Truncate(e.Text, a.Width()-entryIndent))
	}
}

// Narrative draws the latest entries in full, with Flagger's own words if quotes is set, the last
// at the bottom.
func Narrative(a canvas.Area, entries []narrative.Entry, now time.Duration, quotes bool) {
	var blocks [][]string
	said := map[int]int{} // lines of quotes by entry
	first, height := len(entries), 0
	for first > 0 && height < a.Height() {
		first--
		e := entries[first]
		block := wrap.Text(e.Text, a.Width()-entryIndent)
		for _, q := range e.Quotes {
			if quotes {
				more := wrap.Text("Flagger: “"+q+"”", a.Width()-entryIndent)
				block, said[first] = append(block, more...), said[first]+len(more)
			}
		}
		blocks = append(blocks, block)
		height += len(block)
	}
	y := min(0, a.Height()-height)
	for i := first; i < len(entries); i++ {
		block := blocks[len(entries)-1-i]
		drawEntryHead(a, y, entries[i], now)
		for j, l := range block {
			style := entryStyle(entries[i], now)
			if j >= len(block)-said[i] {
				style = theme.Muted
			}
			a.Text(entryIndent, y+j, style, l)
		}
		y += len(block)
	}
}

func drawEntryHead(a canvas.Area, y int, e narrative.Entry, now time.Duration) {
	a.Text(0, y, theme.Muted, format.Clock(e.At))
	a.Rune(entryIndent-2, y, entryStyle(e, now), Symbol(e))
}

// entryStyle returns the style of an entry; those of the present moment are bold.
func entryStyle(e narrative.Entry, now time.Duration) theme.Style {
	if now-e.At < 3*time.Second {
		return SeverityStyle(e.Severity) | theme.Bold
	}
	return SeverityStyle(e.Severity)
}
