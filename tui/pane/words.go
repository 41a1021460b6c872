package pane

import (
	"time"

	"coalmine/lab/timeline/story"
	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// Tone is the look of a tone of the story.
func Tone(t story.Tone) theme.Style {
	switch t {
	case story.Strong:
		return theme.Bold
	case story.Faint:
		return theme.Muted
	case story.Good:
		return theme.Good
	case story.Warn:
		return theme.Warn
	case story.Bad:
		return theme.Bad
	}
	return theme.Plain
}

// Sign is a sign for an entry of the story, so that its tone is told without colours too.
func Sign(e story.Entry) rune {
	switch e.Kind {
	case story.Release:
		return '●'
	case story.Advance:
		return '↑'
	case story.Hold:
		return '■'
	case story.Rollback:
		return '↓'
	case story.Promotion:
		return '★'
	case story.Wait:
		return '○'
	case story.Harm:
		return '▲'
	case story.Notice:
		return '◆'
	}
	switch e.Tone {
	case story.Good:
		return '✓'
	case story.Warn, story.Bad:
		return '✗'
	}
	return '·'
}

// Words draws the newest entries of a story, the last at the bottom. Quotes are Flagger's own words; they are left out where
// that makes room for entries. Entries at the present moment stand out.
func Words(a canvas.Area, entries []story.Entry, now time.Duration, quotes bool) {
	const head = 8
	y := a.Height()
	for i := len(entries) - 1; i >= 0 && y > 0; i-- {
		e := entries[i]
		block := Wrap(e.Text, a.Width()-head)
		said := 0
		if quotes {
			for _, q := range e.Quotes {
				more := Wrap("Flagger: “"+q+"”", a.Width()-head)
				block, said = append(block, more...), said+len(more)
			}
		}
		y -= len(block)
		tone := Tone(e.Tone)
		if now-e.At < 3*time.Second {
			tone |= theme.Bold
		}
		for j, l := range block {
			look := tone
			if j >= len(block)-said {
				look = theme.Muted
			}
			if y+j >= 0 {
				a.Text(head, y+j, look, l)
			}
		}
		if y >= 0 {
			a.Text(0, y, theme.Muted, Clock(e.At))
			a.Rune(head-2, y, tone, Sign(e))
		}
	}
}
