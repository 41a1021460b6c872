package exercise

import (
	"fmt"

	"coalmine/lab/teaching/progress"
)

// progressText describes an entry in a few words; "" if nothing was done.
func progressText(e progress.Entry) string {
	text := ""
	switch {
	case e.Solved:
		text = fmt.Sprintf("✓ solved, best %d of %d", e.Points, e.Of)
	case e.Trials > 0:
		text = fmt.Sprintf("best %d of %d", e.Points, e.Of)
	}
	if e.QuizOf > 0 {
		if text != "" {
			text += " · "
		}
		text += fmt.Sprintf("quiz %d of %d", e.QuizRight, e.QuizOf)
	}
	return text
}
