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

// head is the width of the times and signs before the words.
const head = 8

// Lines draws the newest entries of a story, one to a line, the last at the bottom.
func Lines(a canvas.Area, entries []story.Entry, now time.Duration) {
	entries = entries[max(0, len(entries)-a.Height()):]
	for y, e := range entries {
		opening(a, y, e, now)
		a.Text(head, y, wordTone(e, now), canvas.Cut(e.Text, a.Width()-head))
	}
}

// Words draws the newest entries of a story in full, with Flagger's own words where quotes is set, the last at the bottom.
func Words(a canvas.Area, entries []story.Entry, now time.Duration, quotes bool) {
	var blocks [][]string
	said := map[int]int{} // lines of quotes by entry
	first, height := len(entries), 0
	for first > 0 && height < a.Height() {
		first--
		e := entries[first]
		block := Wrap(e.Text, a.Width()-head)
		for _, q := range e.Quotes {
			if quotes {
				more := Wrap("Flagger: “"+q+"”", a.Width()-head)
				block, said[first] = append(block, more...), said[first]+len(more)
			}
		}
		blocks = append(blocks, block)
		height += len(block)
	}
	y := min(0, a.Height()-height)
	for i := first; i < len(entries); i++ {
		block := blocks[len(entries)-1-i]
		opening(a, y, entries[i], now)
		for j, l := range block {
			look := wordTone(entries[i], now)
			if j >= len(block)-said[i] {
				look = theme.Muted
			}
			a.Text(head, y+j, look, l)
		}
		y += len(block)
	}
}

func opening(a canvas.Area, y int, e story.Entry, now time.Duration) {
	a.Text(0, y, theme.Muted, Clock(e.At))
	a.Rune(head-2, y, wordTone(e, now), Sign(e))
}

// wordTone is the look of an entry; those of the present moment stand out.
func wordTone(e story.Entry, now time.Duration) theme.Style {
	if now-e.At < 3*time.Second {
		return Tone(e.Tone) | theme.Bold
	}
	return Tone(e.Tone)
}
