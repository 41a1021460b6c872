package quiz

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

// MaxImport is the size of the largest file that is read, in bytes.
const MaxImport = 1 << 20

// maxLines bounds the lines of a file; longer ones are not written by people.
const maxLines = 20_000

// Imports lists the formats that are read.
func Imports() []string { return []string{FormatMarkdown, FormatGIFT, FormatYAML} }

// FormatOf returns the format that the name of a file stands for, "" if it stands for none.
func FormatOf(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".md", ".markdown":
		return FormatMarkdown
	case ".gift":
		return FormatGIFT
	case ".yaml", ".yml":
		return FormatYAML
	}
	return ""
}

// Import reads a quiz in a format. The name is that of the file, for errors. Notes say which
// questions were left out, as coalmine cannot grade them. What is read is validated as a quiz.yaml of
// a scenario is.
func Import(name, format string, data []byte) (q *scenario.Quiz, notes []string, err error) {
	switch {
	case !slices.Contains(Imports(), format):
		return nil, nil, input.New("write one of "+strings.Join(Imports(), ", "), "%s: quizzes are not read from %q",
			name, format)
	case len(data) > MaxImport || bytes.Count(data, []byte("\n")) > maxLines:
		return nil, nil, importError(name, 1, "the file is over %d KiB or %d lines", MaxImport>>10, maxLines)
	case !utf8.Valid(data):
		return nil, nil, importError(name, 1, "the file is not UTF-8")
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	switch format {
	case FormatYAML:
		q, err = scenario.ParseQuiz(name, []byte(text))
		return q, nil, err
	case FormatMarkdown:
		q, err = parseMarkdown(name, text)
	case FormatGIFT:
		q, notes, err = parseGIFT(name, text)
	}
	if err != nil {
		return nil, nil, err
	}
	if q, err = validate(q); err != nil {
		return nil, nil, fmt.Errorf("%s, read as a quiz.yaml: %w", name, err)
	}
	return q, notes, nil
}

// validate reads a quiz again from the quiz.yaml that it makes, so that there is one set of rules.
func validate(q *scenario.Quiz) (*scenario.Quiz, error) {
	if len(q.Questions) == 0 {
		return nil, input.New("", "the file has no question that can be graded")
	}
	var b bytes.Buffer
	var all []Asked
	for _, question := range q.Questions {
		all = append(all, Asked{Question: question})
	}
	if err := writeYAML(&b, all); err != nil {
		return nil, err
	}
	checked, err := scenario.ParseQuiz("quiz.yaml", b.Bytes())
	if err != nil {
		return nil, input.New("", "%w", err)
	}
	return checked, nil
}

// importError is an error in a line of a file.
func importError(file string, line int, message string, args ...any) error {
	return input.New("", "%s:%d: %s", file, line, fmt.Sprintf(message, args...))
}

// TitleOf is the title that a file gives its quiz, or else its name.
func TitleOf(name, format string, data []byte) string {
	if format == FormatMarkdown {
		for line := range strings.Lines(string(data)) {
			if title, ok := strings.CutPrefix(line, "# "); ok && oneLine(title) != "" {
				return strings.TrimPrefix(oneLine(title), "Quiz: ")
			}
		}
	}
	base := filepath.Base(name)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
