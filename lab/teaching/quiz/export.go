package quiz

import (
	"fmt"
	"io"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

// Formats of a quiz.
const (
	// FormatText is the questions alone, to be answered.
	FormatText = "text"
	// FormatMarkdown is the layout of the course: questions, options, and the key at the end.
	FormatMarkdown = "md"
	// FormatGIFT is that of Moodle (docs.moodle.org, GIFT format).
	FormatGIFT = "gift"
	// FormatText2QTI is the Markdown that text2qti turns into QTI 1.2 for Canvas
	// (github.com/gpoore/text2qti, README).
	FormatText2QTI = "text2qti"
	// FormatQTI is a zip archive of QTI 1.2, as Canvas imports it.
	FormatQTI = "qti"
	// FormatYAML is the quiz.yaml of a scenario.
	FormatYAML = "yaml"
)

// Formats lists all formats of an export.
func Formats() []string {
	return []string{FormatText, FormatMarkdown, FormatGIFT, FormatText2QTI, FormatQTI, FormatYAML}
}

// Export writes a quiz in a format. The title is that of the scenario. Questions that are open are
// exported without an answer, for a person to grade.
func Export(w io.Writer, format, title string, all []Asked) error {
	var b strings.Builder
	var err error
	title = oneLine(title)
	switch format {
	case FormatText:
		questions(&b, all)
	case FormatMarkdown:
		markdown(&b, title, all)
	case FormatGIFT:
		gift(&b, title, all)
	case FormatText2QTI:
		err = text2qti(&b, title, all)
	case FormatQTI:
		err = qti(&b, title, all)
	case FormatYAML:
		err = writeYAML(&b, all)
	default:
		err = input.New("write one of "+strings.Join(Formats(), ", "), "there is no format %q", format)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// oneLine joins the lines of a text: all formats have a line for each text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func questions(b *strings.Builder, all []Asked) {
	for _, a := range all {
		fmt.Fprintf(b, "%d. %s\n", a.Number, oneLine(a.Question.Question))
		if note := a.Note(); note != "" {
			fmt.Fprintf(b, "   (%s)\n", note)
		}
		for j, o := range a.Options {
			fmt.Fprintf(b, "   %s. %s\n", scenario.Letter(j), oneLine(o))
		}
		b.WriteString("\n")
	}
}

// Note says how a question is answered and when, "" for one with one right option that is asked at
// the end.
func (a Asked) Note() string {
	var parts []string
	switch a.Kind {
	case scenario.KindMultiple:
		parts = append(parts, "one or more are right")
	case scenario.KindNumber, scenario.KindText:
		parts = append(parts, a.Prompt())
	}
	if a.Expression != "" {
		parts = append(parts, "from your own run")
	}
	if text := When(a.At); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// Prompt says what to type.
func (a Asked) Prompt() string {
	letters := "A to " + scenario.Letter(max(0, len(a.Options)-1))
	switch {
	case a.Kind == scenario.KindMultiple:
		return "one or more of " + letters
	case a.Kind == scenario.KindNumber && a.Unit != "":
		return "a number, in " + a.Unit
	case a.Kind == scenario.KindNumber:
		return "a number"
	case a.Kind == scenario.KindText:
		return "a few words"
	}
	return letters
}

// When says when the questions of a checkpoint are asked, "" for those at the end.
func When(at scenario.Checkpoint) string {
	switch at {
	case scenario.CheckpointPredict:
		return "before the rollout"
	case scenario.CheckpointFailedCheck:
		return "at the first failed check"
	case scenario.CheckpointVerdict:
		return "after the verdict"
	}
	return ""
}

// text2qti writes the input of text2qti. An open question is an essay there.
func text2qti(b *strings.Builder, title string, all []Asked) error {
	fmt.Fprintf(b, "Quiz title: %s\n\n", title)
	for i, a := range all {
		if err := checkCanvas(i, a); err != nil {
			return err
		}
		fmt.Fprintf(b, "%d. %s\n... %s\n", i+1, oneLine(a.Question.Question), oneLine(a.Why))
		switch {
		case a.Open != "":
			b.WriteString("____\n")
		case a.Kind == scenario.KindNumber:
			fmt.Fprintf(b, "= %s +- %s\n", NumberText(a.Value), tolerance(a))
		case a.Kind == scenario.KindText:
			for _, t := range a.Answers {
				fmt.Fprintf(b, "* %s\n", oneLine(t))
			}
		}
		for j, o := range a.Options {
			if a.Open != "" {
				break
			}
			fmt.Fprintf(b, "%s %s\n", text2qtiSign(a, j), oneLine(o))
		}
		b.WriteString("\n")
	}
	return nil
}

func text2qtiSign(a Asked, option int) string {
	right := a.IsRight(option)
	switch {
	case a.Kind == scenario.KindMultiple && right:
		return "[*]"
	case a.Kind == scenario.KindMultiple:
		return "[ ]"
	case right:
		return "*" + strings.ToLower(scenario.Letter(option)) + ")"
	}
	return strings.ToLower(scenario.Letter(option)) + ")"
}

// tolerance is that of a number, as it was written.
func tolerance(a Asked) string {
	if a.Relative {
		return NumberText(a.Tolerance*100) + "%"
	}
	return NumberText(a.Tolerance)
}

// leastNumber is the least number but 0 that Canvas compares (text2qti, README).
const leastNumber = 1e-4

// checkCanvas refuses numbers that Canvas cannot compare, and questions about a run with several
// right options of one.
func checkCanvas(i int, a Asked) error {
	if a.Open != "" {
		return nil
	}
	if n := abs(a.Value); a.Kind == scenario.KindNumber && n > 0 && n < leastNumber {
		return input.New("ask for it in another unit", "question %d: Canvas cannot compare the number %g", i+1,
			a.Value)
	}
	if a.Kind == scenario.KindSingle && len(a.Answers) != 1 {
		return input.New("leave the run out, or export another format",
			"question %d: %d options are right for this run, and Canvas takes one", i+1, len(a.Answers))
	}
	return nil
}
