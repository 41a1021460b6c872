// Package quiz shuffles and grades the quizzes of scenarios, answers questions from the learner's
// own run, and exchanges quizzes with other programs.
package quiz

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"coalmine/lab/scenario"
	"coalmine/lab/scenario/quizexpr"
)

// Shuffle orders the options of each question by a seed. Over the quiz each letter is right about
// equally often, so that guessing one letter does not help. The same seed gives the same order.
func Shuffle(q *scenario.Quiz, seed uint64) *scenario.Quiz {
	r := rand.New(rand.NewPCG(seed, uint64(len(q.Questions))))
	used := map[int]int{}
	shuffled := &scenario.Quiz{}
	for _, question := range q.Questions {
		order := r.Perm(len(question.Options))
		if question.Kind == scenario.KindSingle && len(question.Answers) == 1 {
			right := slices.IndexFunc(order, question.IsRight)
			at := place(len(order), used, r)
			order[right], order[at] = order[at], order[right]
			used[at]++
		}
		shuffled.Questions = append(shuffled.Questions, reorder(question, order))
	}
	return shuffled
}

// reorder puts the options of a question in an order, given by their indices.
func reorder(q scenario.Question, order []int) scenario.Question {
	if !q.Kind.HasOptions() {
		return q
	}
	var options, answers []string
	for to, from := range order {
		options = append(options, q.Options[from])
		if q.IsRight(from) {
			answers = append(answers, scenario.Letter(to))
		}
	}
	q.Options, q.Answers = options, answers
	return q
}

// place picks one of the positions that were used least.
func place(options int, used map[int]int, r *rand.Rand) int {
	order := r.Perm(options)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(used[a], used[b]) })
	return order[0]
}

// Asked is a question with its answer, also if that comes from a run.
type Asked struct {
	scenario.Question
	// Number is that of the question in its quiz, from 1.
	Number int
	// Open says why the question cannot be graded, "" if it can.
	Open string
}

// needsRun is why a question about a run is open without one.
const needsRun = "its answer comes from your own run"

// Resolve answers the questions about the learner's run from its facts; without facts they stay open.
func Resolve(q *scenario.Quiz, f *quizexpr.Facts) []Asked {
	var all []Asked
	for i, question := range q.Questions {
		all = append(all, ResolveOne(question, i+1, f))
	}
	return all
}

// ResolveOne is [Resolve] for one question.
func ResolveOne(question scenario.Question, number int, f *quizexpr.Facts) Asked {
	a := Asked{Question: question, Number: number}
	a.Open = a.resolve(f)
	return a
}

// At keeps the questions of a checkpoint.
func At(all []Asked, at scenario.Checkpoint) []Asked {
	var kept []Asked
	for _, a := range all {
		if a.At == at {
			kept = append(kept, a)
		}
	}
	return kept
}

// resolve fills in the answer, and returns why there is none.
func (a *Asked) resolve(f *quizexpr.Facts) string {
	if a.Expression == "" && a.When == "" {
		return ""
	}
	switch {
	case f == nil:
		return needsRun
	case !f.Run.Played:
		return "the faulty version was not played to its end with your guardrails"
	}
	if a.When != "" {
		if applies, err := evaluate(a.When, quizexpr.ResultBool, f, (*quizexpr.Expression).Bool); err != nil {
			return err.Error()
		} else if !applies {
			return "it does not apply to your run"
		}
	}
	if a.Expression == "" {
		return ""
	}
	if a.Kind == scenario.KindNumber {
		n, err := evaluate(a.Expression, quizexpr.ResultNumber, f, (*quizexpr.Expression).Number)
		if err != nil {
			return err.Error()
		}
		a.Value = math.Round(n*1000) / 1000
		return ""
	}
	texts, err := evaluate(a.Expression, quizexpr.ResultText, f, (*quizexpr.Expression).Texts)
	if err != nil {
		return err.Error()
	}
	return a.setTexts(texts)
}

func evaluate[T any](text string, r quizexpr.Result, f *quizexpr.Facts,
	of func(*quizexpr.Expression, *quizexpr.Facts) (T, error)) (T, error) {
	e, err := quizexpr.Compile(text, r)
	if err != nil {
		var zero T
		return zero, err
	}
	return of(e, f)
}

// setTexts takes the texts that an expression gave as answers, or the letters of the options with
// these texts.
func (a *Asked) setTexts(texts []string) string {
	if !a.Kind.HasOptions() {
		a.Answers = texts
		return ""
	}
	a.Answers = nil
	for i, o := range a.Options {
		if slices.ContainsFunc(texts, func(t string) bool { return plain(t) == plain(o) }) {
			a.Answers = append(a.Answers, scenario.Letter(i))
		}
	}
	if len(a.Answers) == 0 {
		return "none of the options is right for your run"
	}
	return ""
}

// plain is a text without what does not distinguish options.
func plain(s string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "."))
}
