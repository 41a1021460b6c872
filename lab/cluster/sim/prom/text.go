package prom

import (
	"errors"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// The engine limits samples, not the text of labels, which label_replace and label_join can double
// with each call. So the text is bounded before a query is evaluated, and costs like samples.
const (
	// baseText bounds a label value of the run's series, in bytes.
	baseText = 256
	// maxText bounds a label value that a query makes.
	maxText = 16 << 10
	// textPerSample is how many bytes of text cost as much as reading a sample.
	textPerSample = 32
)

var errLabelText = errors.New("the query makes label values of more than 16 KiB by label_replace or label_join")

// textCost is the work that a query does with the text of labels.
type textCost struct {
	// longest bounds the label values of the result, in bytes.
	longest int
	// perSeries is the cost for one series, in samples.
	perSeries int64
}

// textCostOf bounds the text that an expression makes.
func textCostOf(e parser.Node) (textCost, error) {
	c := textCost{longest: baseText}
	for child := range parser.ChildrenIter(e) {
		t, err := textCostOf(child)
		if err != nil {
			return c, err
		}
		c.longest = max(c.longest, t.longest)
		c.perSeries += t.perSeries
	}
	call, ok := e.(*parser.Call)
	if !ok {
		return c, nil
	}
	source, made := c.longest, 0
	switch call.Func.Name {
	case "label_replace":
		text := constant(call.Args[2])
		made = len(text) + strings.Count(text, "$")*source
	case "label_join":
		parts := len(call.Args) - 3
		made = parts * (source + len(constant(call.Args[2])))
	default:
		return c, nil
	}
	c.longest = max(source, made)
	c.perSeries += 1 + int64(source+made)/textPerSample
	if c.longest > maxText {
		return c, errLabelText
	}
	return c, nil
}

// constant returns the text of a string argument.
func constant(e parser.Expr) string {
	switch x := e.(type) {
	case *parser.StringLiteral:
		return x.Val
	case *parser.ParenExpr:
		return constant(x.Expr)
	}
	return ""
}
