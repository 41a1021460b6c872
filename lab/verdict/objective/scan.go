package objective

import (
	"strings"
	"unicode/utf8"
)

const (
	separators = " ,\t\r\n"
	operators  = "<>=!"
)

// scanner scans the text of an objective.
type scanner struct {
	text string
	at   int
}

// column returns the column of an offset, counted in characters from 1.
func (s *scanner) column(at int) int { return utf8.RuneCountInString(s.text[:at]) + 1 }

func (s *scanner) rest() string { return s.text[s.at:] }

func (s *scanner) skip(set string) {
	s.at += len(s.rest()) - len(strings.TrimLeft(s.rest(), set))
}

// word reads up to a separator or an operator.
func (s *scanner) word() string {
	n := strings.IndexAny(s.rest(), separators+operators)
	if n < 0 {
		n = len(s.rest())
	}
	w := s.rest()[:n]
	s.at += n
	return w
}

// operator reads the characters of an operator.
func (s *scanner) operator() string {
	n := len(s.rest()) - len(strings.TrimLeft(s.rest(), operators))
	w := s.rest()[:n]
	s.at += n
	return w
}

// name reads a name, quoted or up to a separator. It returns false if a quote is not closed.
func (s *scanner) name() (name string, ok bool) {
	if !strings.HasPrefix(s.rest(), `"`) {
		n := strings.IndexAny(s.rest(), separators)
		if n < 0 {
			n = len(s.rest())
		}
		name = s.rest()[:n]
		s.at += n
		return name, true
	}
	var b strings.Builder
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return b.String(), true
		case c == '\\' && i+1 < len(s.text):
			i++
			b.WriteByte(s.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// value reads a number with its unit, which may follow after a space: 500ms, 500 ms, 0.5 %.
func (s *scanner) value() string {
	v := s.word()
	if v == "" || strings.Trim(v, "+-.0123456789") != "" {
		return v
	}
	before := s.at
	s.skip(" ")
	switch unit := s.word(); unit {
	case "%", "ns", "us", "µs", "μs", "ms", "s", "m", "h", "/s":
		return v + unit
	}
	s.at = before
	return v
}
