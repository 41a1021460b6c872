package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Hint is one level of a briefing's hints.
type Hint struct {
	// Title is what the heading says beside the number, as "Where to look", "" for nothing; Text is Markdown.
	Title, Text string
}

// Briefing is a scenario's text for learners. What gives the answer away is apart from the rest.
type Briefing struct {
	// Text is Markdown without the hints; "" where the scenario has none.
	Text  string
	Hints []Hint
}

// Heading names the hint, the first one by 1.
func (h Hint) Heading(number int) string {
	if h.Title == "" {
		return fmt.Sprintf("Hint %d", number)
	}
	return fmt.Sprintf("Hint %d: %s", number, h.Title)
}

// HintLevels is how many levels cost points; further ones cost no more.
const HintLevels = 3

// HintCost is what the first hints of a scenario cost together, of so many points: a twentieth for the first one, twice as much
// for the second, three times as much for the third.
func HintCost(hints, of int) int {
	hints = min(max(0, hints), HintLevels)
	return of * 5 * hints * (hints + 1) / 2 / 100
}

// Briefing reads the folder's briefing. A folder without one has an empty briefing.
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

// SplitBriefing takes the hints out of a Markdown text: the section "## Hints", where each heading of the third level begins
// one. What stands in the section before the first of them stays.
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
		case in && strings.TrimSpace(line) == "": // the heading is gone, and its space with it
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

// withoutNumber takes the number off a heading: "2. What to change" and "Level 2" are the second one anyway.
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
