package guardrail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// budget is what is left of the limits that hold for all files together.
type budget struct {
	documents, nodes int
}

// yamlFile is one manifest on its way from bytes to node trees.
type yamlFile struct {
	name     string
	budget   *budget
	findings []Finding
}

// errLimit stops the reading of a file whose limits are used up.
var errLimit = errors.New("limit reached")

func (f *yamlFile) fail(line int, what, todo string) {
	f.findings = append(f.findings, Finding{Position: Position{File: f.name, Line: line}, Message: what, Hint: todo})
}

// parseYAML splits a manifest into documents. Trees with findings of their own are left out: what they would mean is not clear.
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

// readable looks at the bytes before a parser sees them.
func (f *yamlFile) readable(data []byte) bool {
	switch {
	case len(data) > MaxFileSize:
		f.fail(0, fmt.Sprintf("the file is larger than %d bytes", MaxFileSize), "split it, or take out what is no manifest")
	case !utf8.Valid(data):
		f.fail(lineOf(data, firstInvalid(data)), "the file is not UTF-8 text", "save it as UTF-8")
	case bytes.IndexByte(data, 0) >= 0:
		f.fail(lineOf(data, bytes.IndexByte(data, 0)), "the file contains a NUL byte", "save it as plain text")
	case flowDepth(data) > MaxFlowDepth:
		f.fail(0, fmt.Sprintf("more than %d brackets are open at once", MaxFlowDepth), "write lists and mappings as blocks")
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

func lineOf(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }

// flowDepth is an upper bound of how deep flow collections nest: it counts brackets in strings and comments as well.
func flowDepth(data []byte) int {
	depth, deepest := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

// decodeNext reads a document. The parser reports errors of syntax by panics that it catches itself; one that it lets through
// must not end a class's grading run.
func decodeNext(dec *yaml.Decoder) (n *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML parser gave up: %v", p)
		}
	}()
	n = &yaml.Node{}
	err = dec.Decode(n)
	return n, err
}

var yamlErrorLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// parseSyntaxError takes the parser's error apart. Its line is where the innermost open block begins, not where it breaks.
func parseSyntaxError(err error) (line int, what string) {
	if m := yamlErrorLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		return line, m[2]
	}
	return 0, strings.TrimPrefix(err.Error(), "yaml: ")
}

func (f *yamlFile) failSyntax(data []byte, err error) {
	begin, what := parseSyntaxError(err)
	line := syntaxErrorLine(data, what)
	message := "not YAML: " + clip(what)
	if begin > 0 && begin < line {
		message += fmt.Sprintf(" (in the block that begins in line %d)", begin)
	}
	f.fail(max(line, begin), message, "check indentation, quotes and colons around this line")
}

// maxSearchSize bounds the size of a file in which the broken line is searched for: that parses it a dozen times.
const maxSearchSize = 64 << 10

// syntaxErrorLine finds the line that breaks the syntax: the last of the shortest beginning of the file that has the error. 0 if it
// is not searched for.
func syntaxErrorLine(data []byte, what string) int {
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
			_, problem := parseSyntaxError(err)
			return problem == what
		}
	})
	return min(i+1, len(ends))
}

// accept tells whether the document is one to decode. Its error says that a limit ends the reading of the file.
func (f *yamlFile) accept(doc *yaml.Node) (bool, error) {
	f.budget.documents--
	if f.budget.documents < 0 {
		f.fail(doc.Line, fmt.Sprintf("more than %d documents", MaxDocuments), "keep to the guardrails of one exercise")
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
		f.fail(root.Line, "a document must be one object (apiVersion, kind, metadata, spec)", "write it as a mapping; separate objects by ---")
	}
	return len(f.findings) == before, nil
}

// inspect refuses what a manifest never needs: depth, sheer number, aliases, tags, and keys whose meaning is in doubt.
func (f *yamlFile) inspect(n *yaml.Node, depth int) error {
	f.budget.nodes--
	if f.budget.nodes < 0 {
		f.fail(n.Line, fmt.Sprintf("more than %d YAML nodes in all", MaxNodes), "keep to the guardrails of one exercise")
		return errLimit
	}
	if depth > MaxYAMLDepth {
		f.fail(n.Line, fmt.Sprintf("nested deeper than %d levels", MaxYAMLDepth), "no manifest is that deep; check the indentation")
		return errLimit
	}
	switch n.Kind {
	case yaml.AliasNode:
		f.fail(n.Line, "alias *"+clip(n.Value)+" is not accepted", "write the value out; aliases can blow a small file up")
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
		f.fail(n.Line, "tag "+clip(tag)+" is not accepted", "leave the tag out")
	}
}

// inspectScalar refuses words that YAML 1.1, which kubectl reads, takes for a boolean and YAML 1.2 for a text.
func (f *yamlFile) inspectScalar(n *yaml.Node) {
	if n.Style != 0 || n.ShortTag() != "!!str" {
		return
	}
	switch strings.ToLower(n.Value) {
	case "y", "yes", "on", "n", "no", "off":
		f.fail(n.Line, n.Value+" without quotes is a boolean to kubectl (YAML 1.1)", `write true or false, or put it in quotes`)
	}
}

func (f *yamlFile) inspectKeys(n *yaml.Node) {
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind == yaml.AliasNode:
			continue // refused as an alias
		case key.Kind != yaml.ScalarNode:
			f.fail(key.Line, "a key must be a text", "write key: value")
			continue
		case key.ShortTag() == "!!merge":
			f.fail(key.Line, "merge key << is not accepted", "write the fields out")
			continue
		case key.ShortTag() != "!!str":
			f.fail(key.Line, "key "+clip(key.Value)+" is not a text", "put the key in quotes")
			continue
		}
		if line, twice := first[key.Value]; twice {
			f.fail(key.Line, fmt.Sprintf("key %s is there twice, first in line %d", clip(key.Value), line), "keep one of them")
			continue
		}
		first[key.Value] = key.Line
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// clip shortens what an error repeats of hostile input, and keeps it on one line.
func clip(s string) string {
	if s == "" {
		return `""`
	}
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}
