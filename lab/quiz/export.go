package quiz

import (
	"fmt"
	"io"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

// Formats of an export.
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
)

// Formats lists all formats.
func Formats() []string { return []string{FormatText, FormatMarkdown, FormatGIFT, FormatText2QTI} }

// Export writes a quiz in a format. The title is that of the scenario.
func Export(w io.Writer, format, title string, q *scenario.Quiz) error {
	var b strings.Builder
	switch format {
	case FormatText:
		questions(&b, q)
	case FormatMarkdown:
		markdown(&b, title, q)
	case FormatGIFT:
		gift(&b, title, q)
	case FormatText2QTI:
		text2qti(&b, title, q)
	default:
		return input.New("write one of "+strings.Join(Formats(), ", "), "there is no format %q", format)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func questions(b *strings.Builder, q *scenario.Quiz) {
	for i, question := range q.Questions {
		fmt.Fprintf(b, "%d. %s\n", i+1, question.Question)
		for j, o := range question.Options {
			fmt.Fprintf(b, "   %s. %s\n", scenario.Letter(j), o)
		}
		b.WriteString("\n")
	}
}

func markdown(b *strings.Builder, title string, q *scenario.Quiz) {
	fmt.Fprintf(b, "# Quiz: %s\n\n", title)
	questions(b, q)
	b.WriteString("## Answer key\n\n")
	for i, question := range q.Questions {
		fmt.Fprintf(b, "%d. %s. %s\n", i+1, question.Answer, question.Why)
	}
}

// escapeGIFT escapes the characters that GIFT gives a meaning.
func escapeGIFT(s string) string {
	return strings.NewReplacer(`\`, `\\`, "~", `\~`, "=", `\=`, "#", `\#`, "{", `\{`, "}", `\}`, ":", `\:`).Replace(s)
}

func gift(b *strings.Builder, title string, q *scenario.Quiz) {
	fmt.Fprintf(b, "$CATEGORY: coalmine/%s\n\n", strings.ReplaceAll(title, "/", "-"))
	for i, question := range q.Questions {
		fmt.Fprintf(b, "::%s %d:: %s {\n", escapeGIFT(title), i+1, escapeGIFT(question.Question))
		for j, o := range question.Options {
			sign := "~"
			if scenario.Letter(j) == question.Answer {
				sign = "="
			}
			fmt.Fprintf(b, "\t%s%s\n", sign, escapeGIFT(o))
		}
		fmt.Fprintf(b, "\t####%s\n}\n\n", escapeGIFT(question.Why))
	}
}

func text2qti(b *strings.Builder, title string, q *scenario.Quiz) {
	fmt.Fprintf(b, "Quiz title: %s\n\n", title)
	for i, question := range q.Questions {
		fmt.Fprintf(b, "%d. %s\n... %s\n", i+1, question.Question, question.Why)
		for j, o := range question.Options {
			sign := ""
			if scenario.Letter(j) == question.Answer {
				sign = "*"
			}
			fmt.Fprintf(b, "%s%s) %s\n", sign, strings.ToLower(scenario.Letter(j)), o)
		}
		b.WriteString("\n")
	}
}
