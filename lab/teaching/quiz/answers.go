package quiz

import (
	"strings"

	"coalmine/lab/input"
)

// ParseAnswers reads answers: a line for each, as "B", "2: B" or "2. the text of an option". Blank
// lines and those that begin with # do not count. Lines without a number are answers in order; a
// decimal such as 2.5 is no number of a question. The name is that of the file, for
// errors.
func ParseAnswers(name, text string, questions int) ([]string, error) {
	answers := make([]string, questions)
	next := 0
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at, answer := number(line)
		if at < 0 {
			at, answer = next, line
		}
		switch {
		case at >= len(answers):
			return nil, input.New("leave it out", "%s:%d: there is no question %d: the quiz has %d", name, i+1, at+1,
				len(answers))
		case answers[at] != "":
			return nil, input.New("answer each question once", "%s:%d: question %d is answered a second time", name,
				i+1, at+1)
		}
		answers[at], next = answer, at+1
	}
	return answers, nil
}

// number splits "2: B" into the index 1 and "B"; the index is -1 if there is no number.
func number(line string) (index int, rest string) {
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if digits == 0 || digits > 3 {
		return -1, line
	}
	after := strings.TrimLeft(line[digits:], " ")
	if after == "" || !strings.ContainsRune(":.)", rune(after[0])) || isDecimal(after) {
		return -1, line
	}
	n := 0
	for _, c := range line[:digits] {
		n = n*10 + int(c-'0')
	}
	if n == 0 {
		return -1, line
	}
	return n - 1, strings.TrimSpace(after[1:])
}

// isDecimal reports whether what follows a number is the fraction of a decimal.
func isDecimal(after string) bool {
	return len(after) > 1 && after[0] == '.' && after[1] >= '0' && after[1] <= '9'
}
