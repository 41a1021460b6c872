package quiz

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
)

// Result is what answers were worth. Open questions count neither for nor against.
type Result struct {
	Right int `json:"right"`
	Of    int `json:"of"`
	Open  int `json:"open,omitempty"`
	// Held counts the gates without an answer: the learner may not go on.
	Held      int      `json:"held,omitempty"`
	Questions []Answer `json:"questions"`
}

// Answer is one answer with what it was worth.
type Answer struct {
	// Number is that of the question, from 1.
	Number   int    `json:"question"`
	Given    string `json:"given,omitempty"`
	Right    bool   `json:"right"`
	Expected string `json:"expected,omitempty"`
	Why      string `json:"why,omitempty"`
	// Open says why the question was not graded.
	Open string `json:"open,omitempty"`
	// Held is set for a gate without an answer.
	Held bool `json:"held,omitempty"`
}

// Grade compares answers, one for each question of the quiz in its order, with questions of it; "" is
// no answer.
func Grade(all []Asked, answers []string) Result {
	var r Result
	for _, question := range all {
		a := Answer{Number: question.Number, Open: question.Open}
		if i := question.Number - 1; i >= 0 && i < len(answers) {
			a.Given = answers[i]
		}
		if a.Held = question.Gate && strings.TrimSpace(a.Given) == ""; a.Held {
			r.Held++
		}
		if a.Open != "" {
			r.Open++
			r.Questions = append(r.Questions, a)
			continue
		}
		a.Expected, a.Why = question.Expected(), question.Why
		r.Of++
		if a.Right = question.Check(a.Given); a.Right {
			r.Right++
		}
		r.Questions = append(r.Questions, a)
	}
	return r
}

// Check reports whether an answer is right: letters or the texts of options, a number, or words.
func (a Asked) Check(given string) bool {
	if strings.TrimSpace(given) == "" || a.Open != "" {
		return false
	}
	switch a.Kind {
	case scenario.KindMultiple:
		return slices.Equal(a.letters(given), a.Answers)
	case scenario.KindNumber:
		n, ok := ParseNumber(given, a.Unit)
		return ok && a.within(n)
	case scenario.KindText:
		return slices.ContainsFunc(a.Answers, func(t string) bool { return words(t) == words(given) })
	}
	i := a.option(given)
	return i >= 0 && a.IsRight(i)
}

// Read returns an answer in the form in which it can be kept, whatever the order of the options: their
// texts, or the number or words as given. The error says what to write instead.
func (a Asked) Read(given string) (string, error) {
	given = strings.TrimSpace(given)
	switch a.Kind {
	case scenario.KindNumber:
		if _, ok := ParseNumber(given, a.Unit); !ok && a.Unit == "s" {
			return "", errors.New("write a time such as 90s or 4m30s")
		} else if !ok {
			return "", errors.New("write a number, such as 25")
		}
		return given, nil
	case scenario.KindText:
		if given == "" {
			return "", errors.New("write a word or two")
		}
		return given, nil
	}
	letters := a.letters(given)
	if len(letters) == 0 || a.Kind == scenario.KindSingle && len(letters) > 1 {
		return "", errors.New("write " + a.Prompt())
	}
	return a.texts(letters, "; "), nil
}

// texts are those of the options with some letters.
func (a Asked) texts(letters []string, separator string) string {
	var all []string
	for i, o := range a.Options {
		if slices.Contains(letters, scenario.Letter(i)) {
			all = append(all, o)
		}
	}
	return strings.Join(all, separator)
}

// ExpectedText is the right answer with the texts of options in place of their letters.
func (a Asked) ExpectedText() string {
	switch {
	case a.Kind == scenario.KindMultiple:
		return a.texts(a.Answers, "; ")
	case a.Kind.HasOptions():
		return a.texts(a.Answers, " or ")
	}
	return a.Expected()
}

// within reports whether a number differs from the answer by at most the tolerance, but for the
// rounding of binary fractions.
func (a Asked) within(n float64) bool {
	const rounding = 1e-9
	return abs(n-a.Value) <= a.Margin()+rounding*max(1, abs(a.Value))
}

// Margin is how far a right number may be from the value.
func (a Asked) Margin() float64 {
	if a.Relative {
		return a.Tolerance * abs(a.Value)
	}
	return a.Tolerance
}

func abs(x float64) float64 { return max(x, -x) }

// option returns the index of an option by its letter or text, -1 if there is none.
func (a Asked) option(given string) int {
	text := plain(given)
	for i, o := range a.Options {
		if plain(o) == text {
			return i
		}
	}
	for i := range a.Options {
		if strings.ToLower(scenario.Letter(i)) == text {
			return i
		}
	}
	return -1
}

// letters returns the sorted letters of several options, which are given by letters between commas,
// spaces or nothing, or by their texts between semicolons.
func (a Asked) letters(given string) []string {
	var all []string
	add := func(text string) bool {
		i := a.option(text)
		if i >= 0 && !slices.Contains(all, scenario.Letter(i)) {
			all = append(all, scenario.Letter(i))
		}
		return i >= 0
	}
	for _, part := range strings.Split(given, ";") {
		if add(part) {
			continue
		}
		for _, c := range strings.ToUpper(part) {
			if c == ',' || unicode.IsSpace(c) {
				continue
			}
			if !add(string(c)) {
				return nil
			}
		}
	}
	slices.Sort(all)
	return all
}

// words is a text without what does not distinguish short answers: case, spaces and punctuation.
func words(s string) string {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
	return cmp.Or(kept, strings.TrimSpace(s))
}

// Expected is the right answer in words.
func (a Asked) Expected() string {
	switch a.Kind {
	case scenario.KindNumber:
		value, unit := a.Value, ""
		if a.Expression != "" && a.Margin() >= 1 {
			value = math.Round(value) // a measured value has more digits than a person wants
		}
		text := readable(value)
		if a.Unit != "" {
			unit = " " + a.Unit
		}
		switch {
		case a.Relative && a.Tolerance > 0:
			return text + unit + " ± " + NumberText(a.Tolerance*100) + " %"
		case a.Tolerance > 0:
			text += " ± " + readable(a.Tolerance)
		}
		return text + unit
	case scenario.KindMultiple:
		return strings.Join(a.Answers, ", ")
	}
	return strings.Join(a.Answers, " or ")
}

// Text writes a result: a line for each question, and why the right answer is right where another
// was given.
func Text(w io.Writer, r Result) error {
	for _, a := range r.Questions {
		given := format.Clean(cmp.Or(a.Given, "no answer"))
		switch {
		case a.Held && a.Open != "":
			fmt.Fprintf(w, "✗ %d. no answer, and it has to have one before you go on\n", a.Number)
		case a.Open != "":
			fmt.Fprintf(w, "– %d. %s; not graded: %s\n", a.Number, given, format.Clean(a.Open))
		case a.Right:
			fmt.Fprintf(w, "✓ %d. %s\n", a.Number, given)
		default:
			fmt.Fprintf(w, "✗ %d. %s; right is %s. %s\n", a.Number, given, format.Clean(a.Expected),
				format.Clean(a.Why))
		}
	}
	text := fmt.Sprintf("%d of %d correct", r.Right, r.Of)
	if r.Open > 0 {
		text += fmt.Sprintf(", %d not graded", r.Open)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
