package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one error in a scenario.
type Problem struct {
	// File and Line are the position; Line is 0 if the problem concerns the whole file.
	File string
	Line int
	// Field is the path of the field, such as services[0].versions.v2.
	Field string
	// Message says what is wrong and how to fix it.
	Message string
}

// String returns "file:line: field: message", without the parts that are unknown.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:", p.Line)
		}
		b.WriteByte(' ')
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is the error of an invalid scenario.
type Problems []Problem

// Error returns the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// fieldPath is the path of a value: keys (string) and indices (int).
type fieldPath []any

func (f fieldPath) child(parts ...any) fieldPath { return append(f[:len(f):len(f)], parts...) }

func (f fieldPath) String() string {
	var b strings.Builder
	for _, part := range f {
		switch part := part.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", part)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprintf(&b, "%v", part)
		}
	}
	return b.String()
}

// parseField parses the format of [fieldPath.String], which errors of loadgen and service use too.
func parseField(s string) fieldPath {
	var f fieldPath
	for _, part := range strings.Split(s, ".") {
		key, rest, _ := strings.Cut(part, "[")
		if key != "" {
			f = append(f, key)
		}
		for index := range strings.SplitSeq(strings.TrimSuffix(rest, "]"), "][") {
			if i, err := strconv.Atoi(index); err == nil {
				f = append(f, i)
			} else if index != "" {
				f = append(f, index)
			}
		}
	}
	return f
}
