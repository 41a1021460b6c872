package loadtester

import (
	"errors"
	"strings"
)

// errShell is the error of a line that needs a shell to be understood.
var errShell = errors.New("it uses variables, substitutions or redirections of a shell")

// splitCommands splits a shell line into its commands and their words. Of a pipe only the first
// command counts. Quotes and backslashes are those of a POSIX shell (POSIX.1, 2.2 Quoting).
func splitCommands(line string) ([][]string, error) {
	s, err := split(line)
	return s.commands, err
}

func split(line string) (splitter, error) {
	s := splitter{text: strings.ReplaceAll(line, "\\\n", " ")}
	for s.at < len(s.text) {
		if err := s.next(); err != nil {
			return splitter{}, err
		}
	}
	s.endCommand()
	return s, nil
}

// OnlySends reports whether a shell line sends requests and looks at none of the answers' texts: it
// is understood, and has no pipe.
func OnlySends(line string) bool {
	if _, err := ParseCommand(line); err != nil {
		return false
	}
	s, err := split(line)
	return err == nil && !s.pipes
}

// splitter is the state of splitCommands.
type splitter struct {
	text     string
	at       int
	word     strings.Builder
	inWord   bool
	words    []string
	piped    bool // the present command reads from a pipe
	pipes    bool // a command reads from a pipe
	commands [][]string
}

func (s *splitter) endWord() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

func (s *splitter) endCommand() {
	s.endWord()
	if len(s.words) > 0 && !s.piped {
		s.commands = append(s.commands, s.words)
	}
	s.words, s.piped = nil, false
}

// next takes the next character, or a quoted text.
func (s *splitter) next() error {
	c := s.text[s.at]
	s.at++
	switch c {
	case ' ', '\t':
		s.endWord()
	case '\n', ';':
		s.endCommand()
	case '&', '|':
		pipe := c == '|'
		if s.at < len(s.text) && s.text[s.at] == c {
			s.at++
			pipe = false
		}
		s.endCommand()
		s.piped, s.pipes = pipe, s.pipes || pipe
	case '$', '`', '<', '>', '(', ')':
		return errShell
	case '\'', '"':
		return s.quoted(c)
	case '\\':
		if s.at < len(s.text) {
			s.add(s.text[s.at])
			s.at++
		}
	default:
		s.add(c)
	}
	return nil
}

func (s *splitter) add(c byte) {
	s.inWord = true
	s.word.WriteByte(c)
}

// quoted takes a text up to its closing quote.
func (s *splitter) quoted(quote byte) error {
	s.inWord = true
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == quote:
			return nil
		case quote == '"' && (c == '$' || c == '`'):
			return errShell
		case quote == '"' && c == '\\' && s.at < len(s.text) && strings.IndexByte("\"\\$`", s.text[s.at]) >= 0:
			s.add(s.text[s.at])
			s.at++
		default:
			s.add(c)
		}
	}
	return errors.New("a quote is not closed")
}
