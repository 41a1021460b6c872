package guardrail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// open are the anchored nodes whose aliases are being inspected, aliased whether there are any.
	open    []*yaml.Node
	aliased bool
}

// tree is one YAML document, with what is wrong with it as YAML. A document of a kind that is not
// read may have findings that do not matter.
type tree struct {
	root     *yaml.Node
	findings []Finding
}

// errLimit stops reading when a limit is exceeded. The limit is already among the findings.
var errLimit = errors.New("limit reached")

func (f *yamlFile) fail(line int, message, hint string) {
	f.findings = append(f.findings, Finding{Position: Position{File: f.name, Line: line}, Message: message, Hint: hint})
}

// parseYAML splits a manifest into documents. The findings are about the file as a whole; nothing is
// read of a file that exceeds a limit.
func parseYAML(name string, data []byte, b *budget) ([]tree, []Finding) {
	f := &yamlFile{name: name, budget: b}
	if !f.readable(data) {
		return nil, f.findings
	}
	if isJSON(data) {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" ")) // YAML allows no tabs; strings have none
	}
	var trees []tree
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		doc, err := decodeNext(dec)
		if errors.Is(err, io.EOF) {
			return trees, nil
		}
		if err != nil {
			f.findings = nil
			f.failSyntax(data, err)
			return trees, f.findings
		}
		root, err := f.accept(doc)
		if err != nil {
			return nil, f.findings
		}
		if root != nil {
			trees = append(trees, tree{root, f.findings})
		}
		f.findings = nil
	}
}

// isJSON reports whether a manifest is JSON, as kubectl tells it from YAML.
func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

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

// accept returns the root of a document without aliases, or nil for an empty document. It returns
// errLimit if a limit is exceeded.
func (f *yamlFile) accept(doc *yaml.Node) (*yaml.Node, error) {
	f.budget.documents--
	if f.budget.documents < 0 {
		f.fail(doc.Line, fmt.Sprintf("more than %d documents", MaxDocuments), oneExercise)
		return nil, errLimit
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	f.aliased = false
	if err := f.inspect(root, 1); err != nil {
		return nil, err
	}
	if isNull(root) {
		return nil, nil
	}
	if f.aliased && len(f.findings) == 0 {
		root = resolve(root)
	}
	return root, nil
}

// inspect rejects what a manifest never needs: excessive depth or size, tags and ambiguous keys. An
// alias counts as much as what it stands for.
func (f *yamlFile) inspect(n *yaml.Node, depth int) error {
	f.budget.nodes--
	if f.budget.nodes < 0 {
		f.fail(n.Line, fmt.Sprintf("more than %d YAML nodes in total", MaxNodes), oneExercise)
		return errLimit
	}
	if depth > MaxYAMLDepth {
		f.fail(n.Line, fmt.Sprintf("nested deeper than %d levels", MaxYAMLDepth), "check the indentation")
		return errLimit
	}
	switch n.Kind {
	case yaml.AliasNode:
		return f.inspectAlias(n, depth)
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

func (f *yamlFile) inspectAlias(n *yaml.Node, depth int) error {
	f.aliased = true
	if slices.Contains(f.open, n.Alias) {
		f.fail(n.Line, "alias *"+Clip(n.Value)+" contains itself", "write the value")
		return errLimit
	}
	f.open = append(f.open, n.Alias)
	defer func() { f.open = f.open[:len(f.open)-1] }()
	return f.inspect(n.Alias, depth+1)
}

func (f *yamlFile) inspectTag(n *yaml.Node) {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!timestamp", "!!merge":
	default:
		f.fail(n.Line, "tag "+Clip(tag)+" is not allowed", "remove the tag")
	}
}

// inspectScalar makes booleans of the words that kubectl, which reads YAML 1.1, takes for them. They
// are strings in YAML 1.2.
func (f *yamlFile) inspectScalar(n *yaml.Node) {
	if n.Style != 0 || n.ShortTag() != "!!str" {
		return
	}
	switch strings.ToLower(n.Value) {
	case "y", "yes", "on", "n", "no", "off":
		n.Tag = "!!bool"
	}
}

func (f *yamlFile) inspectKeys(n *yaml.Node) {
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := dereference(n.Content[i])
		switch {
		case key.Kind != yaml.ScalarNode:
			f.fail(key.Line, "a key must be a string", "write key: value")
			continue
		case key.ShortTag() == "!!merge":
			f.aliased = true
			if !mergeable(n.Content[i+1]) {
				f.fail(key.Line, "<< must be an alias of a mapping, or a list of them", "repeat the fields")
			}
			continue
		case key.ShortTag() != "!!str" && key.ShortTag() != "!!int":
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
func Clip(s string) string { return clipTo(s, maxQuoted) }

func clipTo(s string, most int) string {
	if s == "" {
		return `""`
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
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
