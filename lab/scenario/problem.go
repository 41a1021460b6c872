package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a scenario.
type Problem struct {
	// File and Line say where; Line is 0 when the file as a whole is meant.
	File string
	Line int
	// Field is the path of the field, as in services[0].versions.v2.
	Field string
	// Message says what is wrong and what to do.
	Message string
}

// String is "file:line: field: message", without the parts that are not known.
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

// Problems is the error of a scenario that is not valid.
type Problems []Problem

// Error lists the problems, one on a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// fieldPath is where a value stands: keys and indices.
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

// parseField reads what [field.String] writes, as loadgen and app write it too.
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
