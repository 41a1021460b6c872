package lesson

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/format"
)

// Parse reads an answer as a person writes it: a letter or an option, "1200", "2.5 %", "90s" or "2m".
func (q *Question) Parse(s string) (Value, error) {
	s = strings.TrimSpace(s)
	if q.Kind == KindChoice {
		return q.parseChoice(s)
	}
	if strings.EqualFold(s, never) || strings.EqualFold(s, none) {
		return text(strings.ToLower(s)), nil
	}
	if q.Kind == KindDuration {
		if d, err := time.ParseDuration(strings.ReplaceAll(s, " ", "")); err == nil && d >= 0 {
			return seconds(d), nil
		}
		return Value{}, fmt.Errorf("write a duration such as 90s, 4m30s or 1h, or never")
	}
	digits := strings.NewReplacer(" ", "", ",", "", "%", "", "\u00a0", "", "\u202f", "").Replace(s)
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return Value{}, fmt.Errorf("write a number, such as 1200 or 2.5")
	}
	return Value{Kind: q.Kind, Number: n}, nil
}

func (q *Question) parseChoice(s string) (Value, error) {
	if len(s) == 1 {
		i := int(strings.ToUpper(s)[0]) - 'A'
		if i >= 0 && i < len(q.Options) {
			return text(q.Options[i]), nil
		}
	}
	for _, o := range q.Options {
		if plain(o) == plain(s) {
			return text(o), nil
		}
	}
	return Value{}, fmt.Errorf("write a letter from A to %c", 'A'+len(q.Options)-1)
}

// right reports whether an answer is near enough to what came.
func (q *Question) right(given, came Value) bool {
	switch {
	case q.Kind == KindChoice || given.Kind == KindChoice || came.Kind == KindChoice:
		return plain(given.String()) == plain(came.String())
	case math.Abs(given.Number-came.Number) <= q.Margin:
		return true
	case q.Factor > 1:
		return given.Number <= came.Number*q.Factor && given.Number*q.Factor >= came.Number
	}
	return false
}

// plain is a text without spaces and capitals.
func plain(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(s), ""))
}

// near says how near an answer has to be.
func (q *Question) near() string {
	unit := map[string]string{KindPercent: " points", KindDuration: "s"}[q.Kind]
	switch {
	case q.Kind == KindChoice:
		return ""
	case q.Factor > 1 && q.Margin > 0:
		return fmt.Sprintf("right within a factor of %g, or %g%s", q.Factor, q.Margin, unit)
	case q.Factor > 1:
		return fmt.Sprintf("right within a factor of %g", q.Factor)
	}
	return fmt.Sprintf("right within %g%s", q.Margin, unit)
}

// options lists the question's options, as Markdown.
func (q *Question) options() string {
	var b strings.Builder
	for i, o := range q.Options {
		if i == 0 {
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "- **%c** %s\n", 'A'+i, o)
	}
	return b.String()
}

// prompt says what to type.
func (q *Question) prompt() string {
	return map[string]string{
		KindChoice:   fmt.Sprintf("A to %c", 'A'+max(0, len(q.Options)-1)),
		KindNumber:   "a number",
		KindPercent:  "a number of percent",
		KindDuration: "a duration such as 90s or 4m, or never",
	}[q.Kind]
}

// Answered is an answer with what came of it.
type Answered struct {
	Step     string `json:"step"`
	Question string `json:"question"`
	Ask      string `json:"ask"`
	Given    string `json:"given"`
	// Came is what the run says, or the right answer; Why explains it.
	Came string `json:"came"`
	Why  string `json:"why,omitempty"`
	// Predicted is set for predictions, which were made before the run.
	Predicted bool `json:"predicted,omitempty"`
	Right     bool `json:"right"`
}

// line sets the answer beside what the run says.
func (a *Answered) line(q *Question) string {
	sign := "✗"
	if a.Right {
		sign = "✓"
	}
	what := "Your answer"
	if a.Predicted {
		what = "You predicted"
	}
	line := fmt.Sprintf("%s %s **%s**, and it is **%s**", sign, what, format.Clean(a.Given), a.Came)
	if a.Right && a.Given == a.Came {
		line = fmt.Sprintf("%s %s **%s**, and so it is", sign, what, format.Clean(a.Given))
	}
	if near := q.near(); near != "" && !a.Right {
		line += " (" + near + ")"
	}
	return line + "."
}

// count counts the right answers of some.
func count(all []Answered, keep func(Answered) bool) (right, of int) {
	for _, a := range all {
		if keep == nil || keep(a) {
			of++
			if a.Right {
				right++
			}
		}
	}
	return right, of
}
