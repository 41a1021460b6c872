package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Hint is one level of a briefing's hints.
type Hint struct {
	// Title is the heading without its number, such as "Where to look", or "".
	Title string
	// Text is Markdown.
	Text string
}

// Briefing is a scenario's text for learners, with the hints separated from the rest.
type Briefing struct {
	// Text is Markdown without the hints, or "" if the scenario has no briefing.
	Text  string
	Hints []Hint
}

// Heading returns the hint's heading. Numbers start at 1.
func (h Hint) Heading(number int) string {
	if h.Title == "" {
		return fmt.Sprintf("Hint %d", number)
	}
	return fmt.Sprintf("Hint %d: %s", number, h.Title)
}

// HintLevels is the number of hints that cost points; further ones are free.
const HintLevels = 3

// HintCost returns what the first hints of a scenario cost in total, out of the given points: a
// twentieth for the first, two twentieths for the second, three for the third.
func HintCost(hints, points int) int {
	hints = min(max(0, hints), HintLevels)
	return points * 5 * hints * (hints + 1) / 2 / 100
}

// Briefing reads the folder's briefing. It is empty if the folder has none.
func (f *Folder) Briefing() (Briefing, error) {
	data, err := f.Text(FileBriefing)
	if errors.Is(err, fs.ErrNotExist) {
		return Briefing{}, nil
	}
	if err != nil {
		return Briefing{}, err
	}
	return SplitBriefing(string(data)), nil
}

// SplitBriefing separates the hints from a Markdown text: in the section "## Hints", each heading
// of the third level starts one. Text in the section before the first hint stays in the briefing.
func SplitBriefing(text string) Briefing {
	var b Briefing
	var rest []string
	in, code := false, false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		heading := !code && !fence && strings.HasPrefix(line, "#")
		code = code != fence
		level, title := headingOf(line)
		switch {
		case heading && level <= 2:
			in = level == 2 && strings.EqualFold(title, "hints")
			if in {
				continue
			}
		case heading && level == 3 && in:
			b.Hints = append(b.Hints, Hint{Title: withoutNumber(title)})
			continue
		}
		switch n := len(b.Hints); {
		case in && n > 0:
			b.Hints[n-1].Text += line + "\n"
		case in && strings.TrimSpace(line) == "": // drop the space around the removed heading
		default:
			rest = append(rest, line)
		}
	}
	for i := range b.Hints {
		b.Hints[i].Text = strings.TrimSpace(b.Hints[i].Text)
	}
	b.Text = strings.TrimSpace(strings.Join(rest, "\n"))
	return b
}

func headingOf(line string) (level int, title string) {
	title = strings.TrimLeft(line, "#")
	return len(line) - len(title), strings.TrimSpace(title)
}

// withoutNumber removes the number from a heading such as "2. What to change" or "Level 2".
func withoutNumber(title string) string {
	if level, ok := strings.CutPrefix(title, "Level "); ok && strings.Trim(level, "0123456789") == "" {
		return ""
	}
	number, rest, ok := strings.Cut(title, ". ")
	if ok && strings.Trim(number, "0123456789") == "" {
		return rest
	}
	return title
}
