package guardrail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// budget is what remains of the limits that all files share.
type budget struct {
	documents, nodes int
}

// yamlFile parses one manifest into node trees.
type yamlFile struct {
	name     string
	budget   *budget
	findings []Finding
}

// errLimit stops reading when a limit is exceeded. The limit is already among the findings.
var errLimit = errors.New("limit reached")

func (f *yamlFile) fail(line int, message, hint string) {
	f.findings = append(f.findings, Finding{Position: Position{File: f.name, Line: line}, Message: message, Hint: hint})
}

// parseYAML splits a manifest into documents. It leaves out documents that have findings.
func parseYAML(name string, data []byte, b *budget) ([]*yaml.Node, []Finding) {
	f := &yamlFile{name: name, budget: b}
	if !f.readable(data) {
		return nil, f.findings
	}
	var trees []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		tree, err := decodeNext(dec)
		if errors.Is(err, io.EOF) {
			return trees, f.findings
		}
		if err != nil {
			f.failSyntax(data, err)
			return trees, f.findings
		}
		ok, err := f.accept(tree)
		if err != nil {
			return nil, f.findings
		}
		if ok {
			trees = append(trees, tree)
		}
	}
}

// readable checks the bytes before the parser sees them.
func (f *yamlFile) readable(data []byte) bool {
	switch {
	case len(data) > MaxFileSize:
		f.fail(0, fmt.Sprintf("the file is larger than %d bytes", MaxFileSize),
			"split it, or remove what is not a manifest")
	case !utf8.Valid(data):
		f.fail(yamlpos.LineAt(data, firstInvalid(data)), "the file is not UTF-8 text", "save it as UTF-8")
	case bytes.IndexByte(data, 0) >= 0:
		f.fail(yamlpos.LineAt(data, bytes.IndexByte(data, 0)), "the file contains a NUL byte", "save it as plain text")
	case yamlpos.FlowDepth(data) > MaxFlowDepth:
		f.fail(0, fmt.Sprintf("more than %d brackets are open at once", MaxFlowDepth),
			"use block style for lists and mappings")
	default:
		return true
	}
	return false
}

func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// decodeNext reads a document. The YAML library reports syntax errors by panics that it recovers
// itself. One that it misses must not crash the program.
func decodeNext(dec *yaml.Decoder) (n *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML parser failed: %v", p)
		}
	}()
	n = &yaml.Node{}
	err = dec.Decode(n)
	return n, err
}

// failSyntax reports a syntax error. The line in err is where the innermost open block starts, not
// where the error is.
func (f *yamlFile) failSyntax(data []byte, err error) {
	start, problem := yamlpos.SplitError(err.Error())
	line := syntaxErrorLine(data, problem)
	message := "invalid YAML: " + Clip(problem)
	if start > 0 && start < line {
		message += fmt.Sprintf(" (in the block that starts on line %d)", start)
	}
	f.fail(max(line, start), message, "check indentation, quotes and colons around this line")
}

// maxSearchSize is the largest file, in bytes, in which syntaxErrorLine searches. It parses the
// file a dozen times.
const maxSearchSize = 64 << 10

// syntaxErrorLine returns the line that causes the syntax error, or 0 for large files. It is the
// last line of the shortest prefix of the file that gives the same error.
func syntaxErrorLine(data []byte, problem string) int {
	if len(data) > maxSearchSize {
		return 0
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	ends := make([]int, len(lines))
	for i, end := 0, 0; i < len(lines); i++ {
		end += len(lines[i])
		ends[i] = end
	}
	i := sort.Search(len(ends), func(i int) bool {
		dec := yaml.NewDecoder(bytes.NewReader(data[:ends[i]]))
		for {
			_, err := decodeNext(dec)
			if err == nil {
				continue
			}
			_, got := yamlpos.SplitError(err.Error())
			return got == problem
		}
	})
	return min(i+1, len(ends))
}

// accept reports whether the document can be decoded. It returns errLimit if a limit is exceeded.
func (f *yamlFile) accept(doc *yaml.Node) (bool, error) {
	f.budget.documents--
	if f.budget.documents < 0 {
		f.fail(doc.Line, fmt.Sprintf("more than %d documents", MaxDocuments),
			"give the guardrails of one exercise only")
		return false, errLimit
	}
	if len(doc.Content) == 0 {
		return false, nil
	}
	root := doc.Content[0]
	before := len(f.findings)
	if err := f.inspect(root, 1); err != nil {
		return false, err
	}
	if isNull(root) {
		return false, nil
	}
	if root.Kind != yaml.MappingNode && len(f.findings) == before {
		f.fail(root.Line, "a document must be one object (apiVersion, kind, metadata, spec)",
			"write it as a mapping; separate objects with ---")
	}
	return len(f.findings) == before, nil
}

// inspect rejects what a manifest never needs: excessive depth or size, aliases, tags and ambiguous
// keys.
func (f *yamlFile) inspect(n *yaml.Node, depth int) error {
	f.budget.nodes--
	if f.budget.nodes < 0 {
		f.fail(n.Line, fmt.Sprintf("more than %d YAML nodes in total", MaxNodes),
			"give the guardrails of one exercise only")
		return errLimit
	}
	if depth > MaxYAMLDepth {
		f.fail(n.Line, fmt.Sprintf("nested deeper than %d levels", MaxYAMLDepth), "check the indentation")
		return errLimit
	}
	switch n.Kind {
	case yaml.AliasNode:
		f.fail(n.Line, "alias *"+Clip(n.Value)+" is not allowed", "repeat the value")
		return nil
	case yaml.ScalarNode:
		f.inspectScalar(n)
	case yaml.MappingNode:
		f.inspectKeys(n)
	}
	f.inspectTag(n)
	for _, c := range n.Content {
		if err := f.inspect(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (f *yamlFile) inspectTag(n *yaml.Node) {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!timestamp", "!!merge":
	default:
		f.fail(n.Line, "tag "+Clip(tag)+" is not allowed", "remove the tag")
	}
}

// inspectScalar rejects words that are booleans in YAML 1.1, which kubectl reads, and strings in
// YAML 1.2.
func (f *yamlFile) inspectScalar(n *yaml.Node) {
	if n.Style != 0 || n.ShortTag() != "!!str" {
		return
	}
	switch strings.ToLower(n.Value) {
	case "y", "yes", "on", "n", "no", "off":
		f.fail(n.Line, n.Value+" without quotes is a boolean for kubectl (YAML 1.1)",
			"write true or false, or put it in quotes")
	}
}

func (f *yamlFile) inspectKeys(n *yaml.Node) {
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind == yaml.AliasNode:
			continue // reported as an alias
		case key.Kind != yaml.ScalarNode:
			f.fail(key.Line, "a key must be a string", "write key: value")
			continue
		case key.ShortTag() == "!!merge":
			f.fail(key.Line, "merge key << is not allowed", "repeat the fields")
			continue
		case key.ShortTag() != "!!str":
			f.fail(key.Line, "key "+Clip(key.Value)+" is not a string", "put the key in quotes")
			continue
		}
		if line, twice := first[key.Value]; twice {
			f.fail(key.Line, fmt.Sprintf("key %s is already on line %d", Clip(key.Value), line), "keep one of them")
			continue
		}
		first[key.Value] = key.Line
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// Clip prepares a value of hostile input for a message: it shortens it and keeps it on one line.
func Clip(s string) string {
	if s == "" {
		return `""`
	}
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	if !isGraphic(s) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// isGraphic reports whether s is text without control and format characters.
func isGraphic(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) })
}
