package quiz

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"coalmine/lab/scenario"
)

// giftBlock is what stands between two empty lines of a GIFT file.
type giftBlock struct {
	line int
	text string
}

// giftBlocks splits a file into blocks, without comments, categories and the like.
func giftBlocks(text string) []giftBlock {
	var all []giftBlock
	open := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			open = false
		case strings.HasPrefix(line, "//"), strings.HasPrefix(line, "$CATEGORY:"):
		case open:
			all[len(all)-1].text += "\n" + line
		default:
			all, open = append(all, giftBlock{i + 1, line}), true
		}
	}
	return all
}

// giftTokens splits a text at characters that have a meaning, unless a backslash takes it from them.
// The pieces are still escaped.
func giftTokens(text, separators string) []string {
	var all []string
	start, escaped := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case escaped:
			escaped = false
		case text[i] == '\\':
			escaped = true
		case strings.IndexByte(separators, text[i]) >= 0 && i > start:
			all = append(all, text[start:i])
			start = i
		}
	}
	return append(all, text[start:])
}

// unescapeGIFT removes the backslashes, and joins lines.
func unescapeGIFT(s string) string {
	var b strings.Builder
	escaped := false
	for _, r := range s {
		switch {
		case !escaped && r == '\\':
			escaped = true
			continue
		case escaped && r == 'n':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
		escaped = false
	}
	return oneLine(b.String())
}

// parseGIFT reads a GIFT file.
func parseGIFT(file, text string) (*scenario.Quiz, []string, error) {
	q := &scenario.Quiz{}
	var notes []string
	for _, b := range giftBlocks(text) {
		question, left, err := b.question(file)
		switch {
		case err != nil:
			return nil, nil, err
		case left != "":
			notes = append(notes, fmt.Sprintf("%s:%d: %s: the question is left out", file, b.line, left))
		default:
			q.Questions = append(q.Questions, question)
		}
	}
	return q, notes, nil
}

// question reads a block. Left says why it is not a question that coalmine can grade.
func (b giftBlock) question(file string) (q scenario.Question, left string, err error) {
	text := b.text
	if rest, ok := strings.CutPrefix(text, "::"); ok {
		parts := giftSplit(rest, "::")
		if len(parts) < 2 {
			return q, "", importError(file, b.line, "the name of the question has no :: at its end")
		}
		text = strings.Join(parts[1:], "::")
	}
	before, rest, ok := giftCut(text, '{')
	if !ok {
		return q, "it has no answers", nil
	}
	answers, after, ok := giftCut(rest, '}')
	if !ok {
		return q, "", importError(file, b.line, "the answers have no } at their end")
	}
	if _, _, more := giftCut(after, '{'); more {
		return q, "it has several sets of answers", nil
	}
	q.Question = unescapeGIFT(giftFormat(before))
	if tail := unescapeGIFT(after); tail != "" {
		q.Question += " _____ " + tail
	}
	answers, q.Why = giftFeedback(answers)
	left, err = b.answers(file, &q, answers)
	return q, left, err
}

// giftFormat removes a format such as [html] from the start of a text.
func giftFormat(s string) string {
	return regexp.MustCompile(`^\s*\[(html|moodle|plain|markdown)\]`).ReplaceAllString(s, "")
}

// giftCut splits a text at a character that is not escaped.
func giftCut(s string, at byte) (before, after string, ok bool) {
	escaped := false
	for i := 0; i < len(s); i++ {
		switch {
		case escaped:
			escaped = false
		case s[i] == '\\':
			escaped = true
		case s[i] == at:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// giftSplit splits a text at a separator of one repeated character that is not escaped.
func giftSplit(s, separator string) []string {
	var all []string
	for {
		found := -1
		for i := 0; i+len(separator) <= len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if strings.HasPrefix(s[i:], separator) {
				found = i
				break
			}
		}
		if found < 0 {
			return append(all, s)
		}
		all, s = append(all, s[:found]), s[found+len(separator):]
	}
}

// giftFeedback splits the general feedback off the answers.
func giftFeedback(s string) (answers, why string) {
	parts := giftSplit(s, "####")
	return parts[0], unescapeGIFT(strings.Join(parts[1:], " "))
}

// answers reads what stands between the braces.
func (b giftBlock) answers(file string, q *scenario.Question, text string) (left string, err error) {
	text = strings.TrimSpace(text)
	word, feedback, _ := giftCut(text, '#')
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "T", "TRUE", "F", "FALSE":
		q.Kind, q.Options, q.Answers = scenario.KindSingle, []string{"True", "False"}, []string{"A"}
		if strings.ToUpper(strings.TrimSpace(word))[0] == 'F' {
			q.Answers = []string{"B"}
		}
		return "", nil
	case "":
		if text != "" {
			return b.number(file, q, feedback)
		}
		return "an essay has no answer that can be compared", nil
	}
	if text[0] != '=' && text[0] != '~' {
		return "", importError(file, b.line, "the answers begin with %q: write = or ~", text[:1])
	}
	return b.choices(file, q, text)
}

// giftChoice is one answer, as it is marked.
type giftChoice struct {
	sign   byte
	text   string
	weight float64
	// weighted is set if a percentage was written.
	weighted bool
}

func (c giftChoice) right() bool { return c.weighted && c.weight > 0 || !c.weighted && c.sign == '=' }

// choices reads options or short answers.
func (b giftBlock) choices(file string, q *scenario.Question, text string) (left string, err error) {
	var all []giftChoice
	options, right := false, 0
	for _, token := range giftTokens(text, "=~") {
		c := giftChoice{sign: token[0]}
		answer, _, _ := giftCut(token[1:], '#')
		answer = giftFormat(answer)
		if m := regexp.MustCompile(`^\s*%(-?\d{1,3}(?:\.\d{1,7})?)%`).FindStringSubmatch(answer); m != nil {
			c.weight, _ = strconv.ParseFloat(m[1], 64)
			c.weighted, answer = true, answer[len(m[0]):]
		}
		if strings.Contains(answer, "->") && c.sign == '=' {
			return "pairs cannot be matched here", nil
		}
		if c.text = unescapeGIFT(answer); c.text == "" {
			return "", importError(file, b.line, "an answer is empty")
		}
		options = options || c.sign == '~'
		if c.right() {
			right++
		}
		all = append(all, c)
	}
	if right == 0 {
		return "", importError(file, b.line, "no answer is right: mark one with =")
	}
	giftKind(q, all, options, right)
	return "", nil
}

func giftKind(q *scenario.Question, all []giftChoice, options bool, right int) {
	q.Kind = scenario.KindText
	if options {
		q.Kind = scenario.KindSingle
		if right > 1 || all[0].weighted && !hasSign(all, '=') {
			q.Kind = scenario.KindMultiple
		}
	}
	for i, c := range all {
		switch {
		case options:
			q.Options = append(q.Options, c.text)
			if c.right() {
				q.Answers = append(q.Answers, scenario.Letter(i))
			}
		case c.right():
			q.Answers = append(q.Answers, c.text)
		}
	}
}

func hasSign(all []giftChoice, sign byte) bool {
	for _, c := range all {
		if c.sign == sign {
			return true
		}
	}
	return false
}

// number reads a number with its tolerance or its bounds. Of several ones the first counts, which has
// full credit.
func (b giftBlock) number(file string, q *scenario.Question, text string) (left string, err error) {
	q.Kind = scenario.KindNumber
	text = strings.TrimPrefix(strings.TrimSpace(text), "=")
	text, _, _ = giftCut(giftTokens(text, "=~")[0], '#')
	text = strings.TrimSpace(text)
	bounds := giftSplit(text, "..")
	if len(bounds) == 2 {
		low, err1 := strconv.ParseFloat(strings.TrimSpace(bounds[0]), 64)
		high, err2 := strconv.ParseFloat(strings.TrimSpace(bounds[1]), 64)
		if err1 == nil && err2 == nil && low <= high {
			q.Value, q.Tolerance = (low+high)/2, (high-low)/2
			return "", nil
		}
	}
	value, tolerance, has := giftCut(text, ':')
	q.Value, err = strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err == nil && has {
		q.Tolerance, err = strconv.ParseFloat(strings.TrimSpace(tolerance), 64)
	}
	if err != nil {
		return "", importError(file, b.line, "%q is not a number with a tolerance, such as 25:1", text)
	}
	return "", nil
}
