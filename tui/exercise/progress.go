package exercise

import (
	"fmt"

	"coalmine/lab/progress"
)

// progressText says what was reached, in a few words; "" before anything was.
func progressText(e progress.Entry) string {
	words := ""
	switch {
	case e.Solved:
		words = fmt.Sprintf("✓ solved, best %d of %d", e.Points, e.Of)
	case e.Trials > 0:
		words = fmt.Sprintf("best %d of %d", e.Points, e.Of)
	}
	if e.QuizOf > 0 {
		if words != "" {
			words += " · "
		}
		words += fmt.Sprintf("quiz %d of %d", e.QuizRight, e.QuizOf)
	}
	return words
}
