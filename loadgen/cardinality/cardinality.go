// Package cardinality bounds the number of distinct names that come from responses. A version is
// read from a response header, which may contain anything; memory, output and metrics that are kept
// by version must not grow with it.
package cardinality

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a [Set].
const (
	// MaxNames is the number of names that a set distinguishes.
	MaxNames = 32
	// IndexCount is the number of indices: one per name, 0 for no name, and the last one for all
	// other names.
	IndexCount = MaxNames + 2
	// maxBytes is the maximum length of a name.
	maxBytes = 64
)

// Other replaces the names for which a set has no room and those that are not [Valid].
const Other = "other"

// Valid reports whether a name is safe in a table, a file or a terminal: at most 64 bytes of
// printable characters.
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

// Set assigns indices to names in order of appearance. The zero value is ready to use. It is not
// safe for concurrent use.
type Set struct {
	names []string
	last  int
}

// Index returns the index of a name, which is below [IndexCount]; it is 0 for "". Names beyond
// [MaxNames] share the last index.
func (s *Set) Index(name string) int {
	if name == "" {
		return 0
	}
	// The same name usually repeats: most traffic has few versions.
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
	// The name may be a substring of a larger header value, which must not stay in memory.
	s.names = append(s.names, strings.Clone(name))
	return len(s.names)
}

// Name returns the name of an index returned by [Set.Index].
func (s *Set) Name(index int) string {
	switch {
	case index == 0:
		return ""
	case index <= len(s.names):
		return s.names[index-1]
	}
	return Other
}
