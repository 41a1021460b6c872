// Package quiz shuffles, grades and exports the quizzes of scenarios.
package quiz

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
)

// Shuffle orders the options of each question by a seed. Over the quiz each letter is right about
// equally often, so that guessing one letter does not help. The same seed gives the same order.
func Shuffle(q *scenario.Quiz, seed uint64) *scenario.Quiz {
	r := rand.New(rand.NewPCG(seed, uint64(len(q.Questions))))
	used := map[int]int{}
	shuffled := &scenario.Quiz{}
	for _, question := range q.Questions {
		right := slices.IndexFunc(question.Options, func(o string) bool { return o == answerOf(question) })
		others := slices.Delete(slices.Clone(question.Options), right, right+1)
		r.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		at := place(len(question.Options), used, r)
		used[at]++
		options := slices.Insert(others, at, question.Options[right])
		question.Options, question.Answer = options, scenario.Letter(at)
		shuffled.Questions = append(shuffled.Questions, question)
	}
	return shuffled
}

// place picks one of the positions that were used least.
func place(options int, used map[int]int, r *rand.Rand) int {
	order := r.Perm(options)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(used[a], used[b]) })
	return order[0]
}

// answerOf is the text of the right option.
func answerOf(q scenario.Question) string { return q.Options[q.Answer[0]-'A'] }

// Result is what answers were worth.
type Result struct {
	Right     int      `json:"right"`
	Of        int      `json:"of"`
	Questions []Answer `json:"questions"`
}

// Answer is one answer with what it was worth.
type Answer struct {
	// Number is that of the question, from 1.
	Number   int    `json:"question"`
	Given    string `json:"given,omitempty"`
	Right    bool   `json:"right"`
	Expected string `json:"expected"`
	Why      string `json:"why"`
}

// Grade compares answers, one for each question, with the quiz. An answer is a letter, or the text of
// an option; "" is none.
func Grade(q *scenario.Quiz, answers []string) Result {
	r := Result{Of: len(q.Questions)}
	for i, question := range q.Questions {
		a := Answer{Number: i + 1, Expected: question.Answer, Why: question.Why}
		if i < len(answers) {
			a.Given = answers[i]
		}
		if a.Right = isRight(question, a.Given); a.Right {
			r.Right++
		}
		r.Questions = append(r.Questions, a)
	}
	return r
}

func isRight(q scenario.Question, given string) bool {
	return strings.EqualFold(given, q.Answer) || plain(given) == plain(answerOf(q))
}

// plain is a text without what does not distinguish options.
func plain(s string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "."))
}

// Text writes a result: a line for each question, and why the right answer is right where another
// was given.
func Text(w io.Writer, r Result) error {
	for _, a := range r.Questions {
		given := cmp.Or(a.Given, "no answer")
		if a.Right {
			fmt.Fprintf(w, "✓ %d. %s\n", a.Number, format.Clean(given))
			continue
		}
		fmt.Fprintf(w, "✗ %d. %s; right is %s. %s\n", a.Number, format.Clean(given), a.Expected, a.Why)
	}
	_, err := fmt.Fprintf(w, "%d of %d correct\n", r.Right, r.Of)
	return err
}
