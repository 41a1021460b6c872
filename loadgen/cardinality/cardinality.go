// Package cardinality bounds the names that servers give. A version comes in the header of an answer, and whoever answers may
// write there what they like: what counts, draws or prints by version must not grow with it. The package knows names only.
package cardinality

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a [Set].
const (
	// MaxNames is the number of names that a set tells apart.
	MaxNames = 32
	// IndexCount is the number of indices: those of the names, 0 for no name, and the last for all further names.
	IndexCount = MaxNames + 2
	// maxBytes is the longest name that is kept.
	maxBytes = 64
)

// Other stands for the names that a set has no room for, and for those that are not [Plain].
const Other = "other"

// Valid tells whether a name can stand in a table, a file or a terminal as it is: at most 64 bytes, printable characters alone.
func Valid(name string) bool {
	if len(name) > maxBytes || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Set numbers names in the order in which they come. The zero value is ready. It is for one goroutine.
type Set struct {
	names []string
	last  int
}

// Index returns the number of a name, below [Size]; 0 is that of "". Names that come late, over [Most], share the last one.
func (s *Set) Index(name string) int {
	if name == "" {
		return 0
	}
	// Runs of one name are long: most traffic has few versions.
	if s.last < len(s.names) && s.names[s.last] == name {
		return s.last + 1
	}
	for i, known := range s.names {
		if known == name {
			s.last = i
			return i + 1
		}
	}
	if len(s.names) == MaxNames || name == Other || !Valid(name) {
		return IndexCount - 1
	}
	// A header's value may be a part of a larger text, which should not stay in memory for it.
	s.names = append(s.names, strings.Clone(name))
	return len(s.names)
}

// Name returns the name of an index that [Set.Index] gave.
func (s *Set) Name(index int) string {
	switch {
	case index == 0:
		return ""
	case index <= len(s.names):
		return s.names[index-1]
	}
	return Other
}
