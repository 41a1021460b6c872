package quiz

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"coalmine/lab/scenario"
)

// escapeGIFT escapes the characters that GIFT gives a meaning.
func escapeGIFT(s string) string {
	return strings.NewReplacer(`\`, `\\`, "~", `\~`, "=", `\=`, "#", `\#`, "{", `\{`, "}", `\}`, ":", `\:`).
		Replace(oneLine(s))
}

// gift writes GIFT. Open questions are essays there.
func gift(b *strings.Builder, title string, all []Asked) {
	fmt.Fprintf(b, "$CATEGORY: coalmine/%s\n\n", strings.ReplaceAll(title, "/", "-"))
	for i, a := range all {
		fmt.Fprintf(b, "::%s %d:: %s {\n", escapeGIFT(title), i+1, giftText(a.Question.Question))
		giftAnswers(b, a)
		if a.Why != "" {
			fmt.Fprintf(b, "\t####%s\n", escapeGIFT(a.Why))
		}
		b.WriteString("}\n\n")
	}
}

// giftText escapes a question, also against being read as a format such as [html], or as a comment.
func giftText(s string) string {
	s = escapeGIFT(s)
	if strings.HasPrefix(s, "[") || strings.HasPrefix(s, "//") {
		s = "[moodle]" + s
	}
	return s
}

func giftAnswers(b *strings.Builder, a Asked) {
	switch {
	case a.Open != "":
	case a.Kind == scenario.KindNumber:
		fmt.Fprintf(b, "\t#%s:%s\n", exact(a.Value), exact(a.Margin()))
	case a.Kind == scenario.KindText:
		for _, t := range a.Answers {
			fmt.Fprintf(b, "\t%s%s\n", withWeight("=", t), escapeGIFT(t))
		}
	default:
		for j, o := range a.Options {
			fmt.Fprintf(b, "\t%s%s\n", withWeight(giftSign(a, j), o), escapeGIFT(o))
		}
	}
}

// exact writes a number for a program, without the last digits, which are those of binary fractions.
func exact(n float64) string {
	const digits = 12
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', digits, 64), 64)
	if err != nil {
		rounded = n
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// withWeight adds its weight to the mark of an answer whose text could be read as one.
func withWeight(sign, text string) string {
	switch {
	case !strings.HasPrefix(text, "%"):
		return sign
	case sign == "=":
		return "=%100%"
	case sign == "~":
		return "~%0%"
	}
	return sign
}

// giftSign marks an option. Several right ones share the points in percents that Moodle knows, and a
// wrong one takes all of them away.
func giftSign(a Asked, option int) string {
	right := a.IsRight(option)
	switch {
	case a.Kind == scenario.KindMultiple && right:
		share := math.Round(1e7/float64(len(a.Answers))) / 1e5
		return "~%" + strconv.FormatFloat(share, 'f', -1, 64) + "%"
	case a.Kind == scenario.KindMultiple:
		return "~%-100%"
	case right:
		return "="
	}
	return "~"
}
