package authoring

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
)

// Least sizes of the texts.
const (
	minBriefing  = 80 // words
	minQuestions = 3
	minOptions   = 3
)

// heading returns a regular expression of a section of the briefing.
func heading(name string) *regexp.Regexp { return regexp.MustCompile(`(?mi)^## ` + name + `\s*$`) }

// address matches what a reader can look up: a URL, or a host with a path.
var address = regexp.MustCompile(`(?i)https?://[^\s)]+|\b[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}/[^\s)]+|#[0-9]{2,}`)

func (c *checker) briefing(b scenario.Briefing) {
	words := len(strings.Fields(b.Text))
	commands := strings.Contains(b.Text, "coalmine run "+c.src.Scenario.Name)
	c.expect("briefing", fmt.Sprintf("%s with a title, a task and commands", format.Plural(words, "word")),
		problem{!strings.HasPrefix(b.Text, "# "), "briefing.md is missing or has no title",
			"start it with # and the title"},
		problem{!heading("Your task").MatchString(b.Text), "the briefing has no section ## Your task",
			"say in it what to write and what has to come of it"},
		problem{words < minBriefing, fmt.Sprintf("the briefing has %s", format.Plural(words, "word")),
			"tell the incident: who uses the service, what changed, what happened, what the team had"},
		problem{!commands, "the briefing has no command that plays the scenario",
			"write coalmine run " + c.src.Scenario.Name + " --guardrails naive"})
	var empty bool
	for _, h := range b.Hints {
		empty = empty || h.Text == ""
	}
	c.expect("hints", fmt.Sprintf("%s, from a question to nearly the answer", format.Plural(len(b.Hints), "hint")),
		problem{len(b.Hints) < scenario.HintLevels, fmt.Sprintf("there are %d hints", len(b.Hints)),
			fmt.Sprintf("write %d below ## Hints, each with a heading ### of its own", scenario.HintLevels)},
		problem{empty, "a hint has no text", "write one, or remove the heading"})
	sources := section(b.Text, "Sources")
	c.expect("sources", format.Plural(len(address.FindAllString(sources, -1)), "source"),
		problem{sources == "", "the briefing has no section ## Sources",
			"name the incident report and what the figures rest on"},
		problem{!address.MatchString(sources), "no source has an address", "write where readers find it"})
}

// section returns the text of a section of the second level, or "".
func section(text, name string) string {
	at := heading(name).FindStringIndex(text)
	if at == nil {
		return ""
	}
	body := text[at[1]:]
	if next := regexp.MustCompile(`(?m)^##? `).FindStringIndex(body); next != nil {
		body = body[:next[0]]
	}
	return strings.TrimSpace(body)
}

// quiz checks that a quiz cannot be guessed. Options are shuffled, so their order does not matter.
func (c *checker) quiz() {
	q, err := c.src.Quiz()
	if errors.Is(err, fs.ErrNotExist) {
		c.add("quiz", Failed, "write quiz.yaml with three questions or more", "there is no quiz")
		return
	}
	c.readable("quiz", err, func() {
		longest, choices := 0, 0
		few := 0
		for i, question := range q.Questions {
			if !question.Kind.HasOptions() {
				continue
			}
			choices++
			if len(question.Options) < minOptions && few == 0 {
				few = i + 1
			}
			if isLongest(question) {
				longest++
			}
		}
		c.expect("quiz", fmt.Sprintf("%s; the right option is the longest of %d", format.Plural(len(q.Questions),
			"question"), longest),
			problem{len(q.Questions) < minQuestions, fmt.Sprintf("the quiz has %s", format.Plural(len(q.Questions),
				"question")), fmt.Sprintf("write %d or more", minQuestions)},
			problem{few > 0, fmt.Sprintf("question %d can be guessed", few), fmt.Sprintf("write %d options or more",
				minOptions)},
			problem{2*longest > choices, fmt.Sprintf("the right option is the longest of %d of %s", longest,
				format.Plural(choices, "question")), "make the wrong options as long"})
	})
}

// isLongest reports whether the right option stands out by its length: it is a tenth longer than any
// other.
func isLongest(q scenario.Question) bool {
	right, wrong := 0, 0
	for i, o := range q.Options {
		if q.IsRight(i) {
			right = max(right, len(o))
		} else {
			wrong = max(wrong, len(o))
		}
	}
	return 10*right > 11*wrong
}
