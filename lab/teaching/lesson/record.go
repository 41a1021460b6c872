package lesson

import (
	"fmt"
	"strings"

	"coalmine/lab/format"
)

// fileRecord is the record of what the learner said and what came, in the package.
const fileRecord = "learned.md"

// Progress is how far a learner is in a lesson, for lists.
type Progress struct {
	Lesson *Lesson
	State  *State
}

// Progress reads how far a learner is in every lesson.
func (c *Course) Progress(root string) ([]Progress, error) {
	var all []Progress
	for _, l := range c.Lessons {
		state, err := ReadState(root, l.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, Progress{l, state})
	}
	return all, nil
}

// Next names the first lesson that is not complete, or returns "".
func Next(all []Progress) string {
	for _, p := range all {
		if !p.State.Complete {
			return p.Lesson.Name
		}
	}
	return ""
}

// Started reports whether the learner has begun the lesson.
func (p Progress) Started() bool { return p.State.Step > 0 || len(p.State.Given) > 0 }

// Record returns as Markdown which outcomes were reached, and every prediction and answer with what
// came of it.
func (c *Course) Record(root string) (string, error) {
	all, err := c.Progress(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# What was predicted, and what came\n\n| Graded outcome | |\n|---|---|\n")
	for _, o := range c.Outcomes {
		fmt.Fprintf(&b, "| %s | %s |\n", o.Title, cell(c.Result(root, o).String()))
	}
	for _, p := range all {
		s, err := c.session(p.Lesson, root)
		if err != nil {
			return "", err
		}
		answers := s.answers()
		if len(answers) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| | Question | Said | The run says | |\n|---|---|---|---|---|\n", p.Lesson.Title)
		for _, a := range answers {
			kind, sign := "answer", "✗"
			if a.Predicted {
				kind = "prediction"
			}
			switch {
			case a.Right:
				sign = "✓"
			case a.Open != "":
				sign, a.Came = "–", a.Open
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", kind, cell(a.Ask), cell(a.Given), cell(a.Came), sign)
		}
	}
	return b.String(), nil
}

// cell is a text that can stand in a cell of a Markdown table.
func cell(s string) string {
	return strings.ReplaceAll(format.Clean(strings.Join(strings.Fields(s), " ")), "|", "\\|")
}

// List is the list of lessons with the learner's progress, as Markdown.
func (c *Course) List(root string) (string, error) {
	all, err := c.Progress(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n| | Lesson | Min | |\n|---|---|---|---|\n", c.Title, strings.TrimSpace(c.Text))
	verb := "Start"
	for _, p := range all {
		if p.Started() {
			verb = "Go on"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s |\n", p.symbol(), p.Lesson.Name, p.Lesson.Minutes, p.Lesson.Title)
	}
	b.WriteString(c.outcomes(root))
	if next := Next(all); next != "" {
		fmt.Fprintf(&b, "\n%s with: `coalmine learn %s`\n", verb, next)
	}
	return b.String(), nil
}

// outcomes lists which outcomes were reached, as Markdown.
func (c *Course) outcomes(root string) string {
	var b strings.Builder
	b.WriteString("\n## Graded outcomes\n\n")
	for _, o := range c.Outcomes {
		r := c.Result(root, o)
		switch {
		case r.Reached:
			fmt.Fprintf(&b, "✓ %s (lesson %s)\n\n", o.Title, o.Lesson)
		case r.Begun:
			fmt.Fprintf(&b, "◐ %s (lesson %s): %s\n\n", o.Title, o.Lesson, r)
		default:
			fmt.Fprintf(&b, "○ %s (lesson %s)\n\n", o.Title, o.Lesson)
		}
	}
	return b.String()
}

// symbol says how far the learner is.
func (p Progress) symbol() string {
	switch {
	case p.State.Complete:
		return "✓"
	case p.Started():
		return "◐"
	}
	return "○"
}
