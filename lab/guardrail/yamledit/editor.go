package yamledit

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// editor edits the lines of a text. Edits within lines are made at once, those of whole lines at
// the end, since lines keep their numbers until then.
type editor struct {
	lines []string
	spans []span
	// shifts are the edits within lines, to find later columns of the same line.
	shifts map[int][]shift
	failed bool
}

// span replaces the lines from first on, up to but without end, counted from 0.
type span struct {
	first, end int
	text       string
}

// shift moves what is at or after a column.
type shift struct{ column, by int }

// text returns the edited text.
func (e *editor) text() []byte {
	slices.SortStableFunc(e.spans, func(a, b span) int { return cmp.Compare(b.first, a.first) })
	for _, s := range e.spans {
		lines := slices.Clone(e.lines[s.end:])
		e.lines = e.lines[:s.first]
		if s.text != "" {
			if n := len(e.lines); n > 0 && !strings.HasSuffix(e.lines[n-1], "\n") {
				e.lines[n-1] += "\n"
			}
			e.lines = append(e.lines, s.text)
		}
		e.lines = append(e.lines, lines...)
	}
	return []byte(strings.Join(e.lines, ""))
}

// diff edits the text of a value. It sets failed if that is not possible.
func (e *editor) diff(old, changed *yaml.Node) {
	switch {
	case e.failed || sameValue(old, changed):
	case old.Kind != changed.Kind:
		e.failed = true
	case old.Kind == yaml.ScalarNode:
		e.scalar(old, changed)
	case old.Kind == yaml.MappingNode:
		e.mapping(old, changed)
	case old.Kind == yaml.SequenceNode && len(old.Content) == len(changed.Content):
		for i, item := range old.Content {
			e.diff(item, changed.Content[i])
		}
	default:
		e.failed = true
	}
}

// canDiff reports whether diff can edit a value without its key.
func canDiff(old, changed *yaml.Node) bool {
	isNew := func(n *yaml.Node) bool { return n.Column == 0 }
	switch {
	case old.Kind != changed.Kind || slices.ContainsFunc(changed.Content, isNew) && old.Kind == yaml.SequenceNode:
		return false
	case old.Kind == yaml.ScalarNode:
		return old.Style&yaml.FoldedStyle == 0 && (old.Style&yaml.LiteralStyle == 0 ||
			strings.Count(old.Value, "\n") == strings.Count(changed.Value, "\n"))
	case old.Kind == yaml.SequenceNode:
		return len(old.Content) == len(changed.Content)
	}
	return true
}

// mapping edits the fields of a mapping.
func (e *editor) mapping(old, changed *yaml.Node) {
	if old.Style&yaml.FlowStyle != 0 && !sameKeys(old, changed) {
		e.flow(old, changed)
		return
	}
	last := -1 // the line before which a new key is inserted
	for i := 0; i+1 < len(changed.Content); i += 2 {
		key, value := changed.Content[i], changed.Content[i+1]
		at := keyAt(old, key)
		switch {
		case at < 0:
			if last < 0 {
				e.failed = true
				return
			}
			e.spans = append(e.spans, span{last, last, render(key, value, old.Content[0].Column-1)})
			continue
		case old.Content[at].Value != key.Value:
			e.scalar(old.Content[at], key)
		}
		_, end := e.extent(old.Content[at], old.Content[at+1])
		if canDiff(old.Content[at+1], value) || old.Style&yaml.FlowStyle != 0 {
			e.diff(old.Content[at+1], value)
		} else {
			e.rewrite(old.Content[at], value, end)
		}
		last = end
	}
	for i := 0; i+1 < len(old.Content); i += 2 {
		if keyAt(changed, old.Content[i]) < 0 {
			e.removeKey(old, i)
		}
	}
}

// rewrite writes a field again.
func (e *editor) rewrite(key, value *yaml.Node, end int) {
	line := e.lines[key.Line-1]
	indent := key.Column - 1
	if strings.Trim(line[:min(indent, len(line))], " ") != "" { // after a dash
		e.failed = true
		return
	}
	e.spans = append(e.spans, span{key.Line - 1, end, render(key, value, indent)})
}

// removeKey removes a field with the comments above it.
func (e *editor) removeKey(old *yaml.Node, i int) {
	key := old.Content[i]
	first, end := e.extent(key, old.Content[i+1])
	if strings.Trim(e.lines[first][:min(key.Column-1, len(e.lines[first]))], " ") != "" || len(old.Content) == 2 {
		e.failed = true
		return
	}
	if key.HeadComment != "" {
		for first > 0 && strings.HasPrefix(strings.TrimSpace(e.lines[first-1]), "#") {
			first--
		}
	}
	e.spans = append(e.spans, span{first, end, ""})
}

// keyAt returns the index of the field of a key: of the same name, or at the same place.
func keyAt(n, key *yaml.Node) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Value == key.Value {
			return i
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; key.Column > 0 && k.Line == key.Line && k.Column == key.Column {
			return i
		}
	}
	return -1
}

func sameKeys(a, b *yaml.Node) bool {
	if len(a.Content) != len(b.Content) {
		return false
	}
	for i := 0; i < len(a.Content); i += 2 {
		if keyAt(b, a.Content[i]) != i {
			return false
		}
	}
	return true
}

// extent returns the lines of a field of a block mapping, counted from 0; end is the line after it.
func (e *editor) extent(key, value *yaml.Node) (first, end int) {
	first, end = key.Line-1, key.Line
	indent := key.Column - 1
	for i := end; i < len(e.lines); i++ {
		line := strings.TrimRight(e.lines[i], " \t\r\n")
		depth := len(line) - len(strings.TrimLeft(line, " "))
		item := value.Kind == yaml.SequenceNode && depth == indent && strings.HasPrefix(line[depth:]+" ", "- ")
		if line == "" || depth == indent && strings.HasPrefix(line[depth:], "#") {
			continue // it belongs to what comes next, unless more of the field follows
		}
		if depth <= indent && !item {
			break
		}
		end = i + 1
	}
	return first, end
}

// render writes a field as lines.
func render(key, value *yaml.Node, indent int) string {
	text, err := encode([]*yaml.Node{{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}})
	if err != nil {
		return ""
	}
	var b strings.Builder
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) > 0 {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.Write(line)
	}
	return b.String()
}

// scalar edits the text of a scalar.
func (e *editor) scalar(old, changed *yaml.Node) {
	switch {
	case old.Style&yaml.LiteralStyle != 0:
		e.literal(old, changed)
		return
	case old.Style&yaml.FoldedStyle != 0:
		e.failed = true
		return
	}
	start, ok := e.offset(old)
	if !ok {
		e.failed = true
		return
	}
	line := e.lines[old.Line-1]
	end := scalarEnd(line, start, old)
	if end < 0 {
		e.failed = true
		return
	}
	e.splice(old.Line-1, start, end, scalarText(changed, old.Style), old.Column)
}

// splice replaces a part of a line.
func (e *editor) splice(line, start, end int, text string, column int) {
	e.lines[line] = e.lines[line][:start] + text + e.lines[line][end:]
	if e.shifts == nil {
		e.shifts = map[int][]shift{}
	}
	e.shifts[line] = append(e.shifts[line], shift{column, len(text) - (end - start)})
}

// offset returns where a value starts in its line, in bytes.
func (e *editor) offset(n *yaml.Node) (int, bool) {
	if n.Line < 1 || n.Line > len(e.lines) || n.Column < 1 {
		return 0, false
	}
	at := n.Column - 1
	for _, s := range e.shifts[n.Line-1] {
		if s.column < n.Column {
			at += s.by
		}
	}
	line := e.lines[n.Line-1]
	return at, at >= 0 && at < len(line) && utf8.RuneCountInString(line) == len(line)
}

// scalarEnd returns the end of a scalar that starts in a line, or -1.
func scalarEnd(line string, start int, n *yaml.Node) int {
	switch quote := line[start]; quote {
	case '"', '\'':
		for i := start + 1; i < len(line); i++ {
			switch {
			case quote == '"' && line[i] == '\\', quote == '\'' && strings.HasPrefix(line[i:], "''"):
				i++
			case line[i] == quote:
				return i + 1
			}
		}
		return -1
	}
	if !strings.HasPrefix(line[start:], n.Value) || n.Value == "" {
		return -1
	}
	return start + len(n.Value)
}

// scalarText returns the text of a scalar, in the style of the one that it replaces.
func scalarText(n *yaml.Node, style yaml.Style) string {
	c := &yaml.Node{Kind: yaml.ScalarNode, Tag: n.Tag, Value: n.Value}
	if n.ShortTag() == "!!str" {
		c.Style = style &^ yaml.FlowStyle
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return n.Value
	}
	return strings.TrimSuffix(string(text), "\n")
}

// literal edits the lines of a block of text. Their number stays.
func (e *editor) literal(old, changed *yaml.Node) {
	from, to := strings.Split(old.Value, "\n"), strings.Split(changed.Value, "\n")
	if len(from) != len(to) {
		e.failed = true
		return
	}
	for i := range from {
		at := old.Line + i
		if from[i] == to[i] {
			continue
		}
		if at >= len(e.lines) {
			e.failed = true
			return
		}
		line := strings.TrimRight(e.lines[at], "\r\n")
		base, ok := strings.CutSuffix(line, from[i])
		if !ok {
			e.failed = true
			return
		}
		e.lines[at] = base + to[i] + e.lines[at][len(line):]
	}
}

// flow writes a mapping in braces again.
func (e *editor) flow(old, changed *yaml.Node) {
	start, ok := e.offset(old)
	if !ok {
		e.failed = true
		return
	}
	line := e.lines[old.Line-1]
	end := closingBrace(line, start)
	c := withoutComments(changed)
	c.Style = yaml.FlowStyle
	text, err := yaml.Marshal(c)
	if end < 0 || err != nil || bytes.Count(text, []byte("\n")) != 1 {
		e.failed = true
		return
	}
	e.splice(old.Line-1, start, end, strings.TrimSuffix(string(text), "\n"), old.Column)
}

// withoutComments returns a copy of a value without its comments, which stay in the text around it.
func withoutComments(n *yaml.Node) *yaml.Node {
	c := Clone(n)
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	for i, item := range c.Content {
		c.Content[i] = withoutComments(item)
	}
	return c
}

// closingBrace returns the end of the braces that open at start, or -1 if that is in another line.
func closingBrace(line string, start int) int {
	depth := 0
	var quote byte
	for i := start; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
