package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// mapQuery maps the label values of a query.
func (m *mapper) mapQuery(d *Document, path string) {
	query := scalar(d.Root, path)
	if query == "" || !m.names.Changed() || len(query) > maxQuery {
		return
	}
	to, err := m.names.query(query)
	if err != nil {
		return // the query is checked later
	}
	m.set(d, path, to, "the names and ports in the lab")
}

// maxQuery bounds the queries that are parsed, in bytes.
const maxQuery = 4096

// query maps the label values of a query, which may be a template. All else keeps its place.
func (n *Names) query(text string) (string, error) {
	plain, err := parseable(text)
	if err != nil {
		return text, err
	}
	var b strings.Builder
	last := 0
	for _, s := range selectors(plain) {
		for _, v := range n.values(text, s) {
			b.WriteString(text[last:v.start])
			b.WriteString(v.text)
			last = v.end
		}
	}
	b.WriteString(text[last:])
	return b.String(), nil
}

// action is an action of a template in a query.
type action struct{ start, end int }

// actions returns the actions of a template. A quoted string in one may contain the delimiter.
func actions(text string) []action {
	var all []action
	for i := 0; ; {
		at := strings.Index(text[i:], "{{")
		if at < 0 {
			return all
		}
		start := i + at
		end := actionEnd(text, start+2)
		if end < 0 {
			return all
		}
		all = append(all, action{start, end})
		i = end
	}
}

func actionEnd(text string, i int) int {
	var quote byte
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case strings.HasPrefix(text[i:], "}}"):
			return i + 2
		}
	}
	return -1
}

// parseable returns the query with each action of the template replaced by as many characters that
// the parser accepts in its place: a duration, a name, or nothing.
func parseable(text string) (string, error) {
	var err error
	for _, fill := range []func(size int) string{
		func(size int) string { return strings.Repeat("0", size-2) + "1m" },
		func(size int) string { return strings.Repeat("x", size) },
		func(size int) string { return strings.Repeat(" ", size) },
	} {
		plain := []byte(text)
		for _, a := range actions(text) {
			filled := fill(a.end - a.start)
			if inBrackets(text, a.start) {
				filled = strings.Repeat("0", a.end-a.start-2) + "1m"
			}
			copy(plain[a.start:], filled)
		}
		var expr parser.Expr
		if expr, err = parse(string(plain)); err == nil && expr != nil {
			return string(plain), nil
		}
	}
	return "", err
}

// inBrackets reports whether the text before i ends in a bracket or colon, where only a duration
// can follow.
func inBrackets(text string, i int) bool {
	before := strings.TrimRight(text[:i], " \t\r\n")
	return strings.HasSuffix(before, "[") || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "offset")
}

func parse(query string) (expr parser.Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the PromQL parser failed: %v", p)
		}
	}()
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// matcher is a label matcher of a query. start and end enclose its value, without quotes.
type matcher struct {
	label      string
	regex      bool
	start, end int
}

// selectors returns the matchers of a valid query, by selector.
func selectors(query string) [][]matcher {
	var all [][]matcher
	var current []matcher
	var item parser.Item
	var label string
	var op parser.ItemType
	lexer := parser.Lex(query)
	for {
		lexer.NextItem(&item)
		switch item.Typ {
		case parser.EOF, parser.ERROR:
			return all
		case parser.LEFT_BRACE:
			current, label, op = nil, "", 0
		case parser.RIGHT_BRACE:
			all = append(all, current)
		case parser.EQL, parser.NEQ, parser.EQL_REGEX, parser.NEQ_REGEX:
			op = item.Typ
		case parser.COMMA:
			label, op = "", 0
		case parser.STRING:
			if op == 0 {
				label = strings.Trim(item.Val, "\"'`")
				continue
			}
			start := int(item.Pos) + 1
			current = append(current, matcher{label: label, regex: op == parser.EQL_REGEX || op == parser.NEQ_REGEX,
				start: start, end: start + len(item.Val) - 2})
			op = 0
		default:
			if op == 0 {
				label = item.Val
			}
		}
	}
}

// value is the new value of a matcher.
type value struct {
	matcher
	text string
}

// values returns the values of one selector that change, in order.
func (n *Names) values(text string, selector []matcher) []value {
	var changed []value
	for _, s := range selector {
		if role(s.label) == roleWorkload && n.elsewhere(text, selector, s.label) {
			continue
		}
		old := text[s.start:s.end]
		if to := n.value(role(s.label), s.label, old, s.regex); to != old {
			changed = append(changed, value{s, to})
		}
	}
	return changed
}

// elsewhere reports whether the selector is for a namespace that the lab's does not stand for.
func (n *Names) elsewhere(text string, selector []matcher, label string) bool {
	side, _, _ := strings.Cut(label, "_")
	for _, s := range selector {
		if role(s.label) != roleNamespace || s.regex {
			continue
		}
		if s.label == "namespace" && side != "dst" || strings.HasPrefix(s.label, side+"_") {
			ns := text[s.start:s.end]
			return !n.ours(ns) && !strings.Contains(ns, "{{")
		}
	}
	return false
}

// The roles of labels, of Linkerd and of what people query beside it.
type labelRole int

const (
	roleNone labelRole = iota
	roleNamespace
	roleWorkload
	rolePod
	roleHost
	roleIdentity
	roleServicePort
	roleTargetPort
)

// role returns what the values of a label are.
// Source: https://linkerd.io/2/reference/proxy-metrics/.
func role(label string) labelRole {
	name := label
	for _, side := range []string{"dst_", "src_", "exported_", "destination_", "source_", "kubernetes_", "parent_",
		"backend_", "srv_"} {
		name = strings.TrimPrefix(name, side)
	}
	switch {
	case label == "client_id" || label == "server_id":
		return roleIdentity
	case label == "parent_port" || label == "backend_port":
		return roleServicePort
	case label == "srv_port" || label == "port" || label == "target_port":
		return roleTargetPort
	case label == "authority" || label == "host" || label == "request_host" || label == "destination_service":
		return roleHost
	case name == "namespace" || strings.HasSuffix(name, "_namespace"):
		return roleNamespace
	case name == "pod" || name == "pod_name" || name == "replicaset":
		return rolePod
	case label == "srv_name":
		return roleNone
	case slices.Contains([]string{"deployment", "service", "workload", "workload_name", "app", "name", "serviceaccount",
		"service_account", "service_name", "statefulset", "canary_name", "target", "ingress"}, name):
		return roleWorkload
	}
	return roleNone
}

// value maps the value of a label, or a regular expression for it.
func (n *Names) value(r labelRole, label, text string, regex bool) string {
	if r == roleNone || text == "" {
		return text
	}
	if regex {
		return n.regex(r, text)
	}
	masked, restore := mask(text)
	to := masked
	switch r {
	case roleNamespace:
		to = n.namespace(masked)
	case roleWorkload:
		to, _ = n.workload(masked)
	case rolePod:
		to, _ = n.prefix(masked)
	case roleHost:
		to, _ = n.host(masked)
	case roleIdentity:
		to, _ = n.identity(masked)
	case roleServicePort:
		to = anyPort(n.servicePorts, masked)
	case roleTargetPort:
		to = anyPort(n.targetPorts, masked)
	}
	return restore(to)
}

// markRune stands for an action of a template in a masked value.
const markRune = '\x01'

func isMark(text string) bool { return strings.Trim(text, string(markRune)) == "" && text != "" }

// mask replaces the actions of a template by marks, and returns the function that puts them back.
func mask(text string) (string, func(string) string) {
	all := actions(text)
	if len(all) == 0 {
		return text, func(s string) string { return s }
	}
	var b strings.Builder
	last := 0
	for _, a := range all {
		b.WriteString(text[last:a.start])
		b.WriteRune(markRune)
		last = a.end
	}
	b.WriteString(text[last:])
	return b.String(), func(s string) string {
		for _, a := range all {
			s = strings.Replace(s, string(markRune), text[a.start:a.end], 1)
		}
		return s
	}
}

// regex maps the literal words of a regular expression. Its text stays as it is otherwise.
func (n *Names) regex(r labelRole, text string) string {
	masked, restore := mask(text)
	var b strings.Builder
	for i := 0; i < len(masked); {
		end := literalEnd(masked, i)
		if end == i {
			end = skipMeta(masked, i)
			b.WriteString(masked[i:end])
			i = end
			continue
		}
		b.WriteString(n.literal(r, masked[i:end], masked[end:]))
		i = end
	}
	return restore(b.String())
}

func isLiteral(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// literalEnd returns the end of the word that starts at i. A character with a quantifier is none of
// it.
func literalEnd(text string, i int) int {
	end := i
	for end < len(text) && isLiteral(text[end]) {
		end++
	}
	if end > i && end < len(text) && strings.IndexByte("?*+{", text[end]) >= 0 {
		end--
	}
	return end
}

// skipMeta returns the end of what starts at i and is no word: an escape, a class, a repetition or
// another character.
func skipMeta(text string, i int) int {
	switch {
	case strings.HasPrefix(text[i:], `\\`) && len(text) > i+2: // an escape in a quoted string
		return i + 3
	case text[i] == '\\':
		return min(i+2, len(text))
	case text[i] == '[':
		return closing(text, i, ']')
	case text[i] == '{':
		return closing(text, i, '}')
	}
	return i + 1
}

func closing(text string, i int, c byte) int {
	if at := strings.IndexByte(text[i+1:], c); at >= 0 {
		return i + 1 + at + 1
	}
	return len(text)
}

// literal maps a word of a regular expression; rest is what follows it.
func (n *Names) literal(r labelRole, word, rest string) string {
	switch r {
	case roleNamespace:
		return n.namespace(word)
	case roleServicePort:
		return anyPort(n.servicePorts, word)
	case roleTargetPort:
		return anyPort(n.targetPorts, word)
	case roleHost, roleIdentity:
		if to, ok := n.workload(word); ok {
			return to
		}
		if to, ok := n.namespaces[word]; ok {
			return to
		}
		return anyPort(n.servicePorts, word)
	}
	if to, ok := n.workload(word); ok {
		return to
	}
	// The start of a name: podinfo-[a-z0-9]+.
	if base, ok := strings.CutSuffix(word, "-"); ok && rest != "" {
		if to, ok := n.workload(base); ok {
			return to + "-"
		}
	}
	if r == rolePod {
		to, _ := n.prefix(word)
		return to
	}
	return word
}
