// Package quizexpr evaluates the expressions by which quiz questions are answered from a learner's own
// run. They are written in CEL (cel.dev), over the facts of a trial. Scenario folders are untrusted:
// what an expression may cost is limited when it is compiled and when it is evaluated.
package quizexpr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

// Limits of an expression.
const (
	// maxLength is in characters, maxNesting in levels of the syntax.
	maxLength  = 1000
	maxNesting = 20
	// maxCost is in CEL's units, about one for each operator and element.
	maxCost = 100_000
	// windowCost is the cost of one call that reads the seconds of a run.
	windowCost = 5000
	// maxTime bounds an evaluation that the cost does not.
	maxTime = 2 * time.Second
	// maxResults and maxResult bound the texts that an expression gives.
	maxResults = 20
	maxResult  = 200
)

// Result is what an expression has to give.
type Result string

// Results.
const (
	// ResultBool is true or false.
	ResultBool Result = "bool"
	// ResultNumber is a number. A duration is its seconds.
	ResultNumber Result = "number"
	// ResultText is a text, or a list of texts of which each is right.
	ResultText Result = "text"
)

// Expression is a compiled expression.
type Expression struct {
	program cel.Program
	result  Result
}

// Compile compiles an expression that gives a result.
func Compile(text string, result Result) (*Expression, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("build the CEL environment: %w", err)
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, errors.New(firstIssue(issues))
	}
	if !result.accepts(ast.OutputType()) {
		return nil, fmt.Errorf("the expression gives a %s, and a %s is needed", typeName(ast.OutputType()), result)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(64),
		cel.CostTracking(costs{}))
	if err != nil {
		return nil, err
	}
	return &Expression{program: program, result: result}, nil
}

// firstIssue is the first thing that is wrong, on one line and without a drawing of where.
func firstIssue(issues *cel.Issues) string {
	all := issues.Errors()
	if len(all) == 0 {
		return "the expression is invalid"
	}
	message, _, _ := strings.Cut(all[0].Message, "\n")
	return fmt.Sprintf("%s (column %d of the expression)", message, all[0].Location.Column()+1)
}

func environment() (*cel.Env, error) {
	run := cel.ObjectType("quizexpr.Run")
	return cel.NewEnv(
		cel.ParserExpressionSizeLimit(maxLength), cel.ParserRecursionLimit(maxNesting),
		ext.NativeTypes(reflect.TypeFor[Run](), reflect.TypeFor[Trial](), ext.ParseStructTags(true)),
		cel.Variable("run", run), cel.Variable("healthy", run), cel.Variable("unguarded", run),
		cel.Variable("reference", run), cel.Variable("trial", cel.ObjectType("quizexpr.Trial")),
		cel.Function("mttd_with", cel.MemberOverload("run_mttd_with",
			[]*cel.Type{run, cel.DurationType, cel.DoubleType}, cel.DurationType, cel.FunctionBinding(mttdWith))),
	)
}

// mttdWith implements run.mttd_with(window, percent).
func mttdWith(args ...ref.Val) ref.Val {
	run, ok := args[0].Value().(Run)
	window, isDuration := args[1].Value().(time.Duration)
	least, isDouble := args[2].Value().(float64)
	if !ok || !isDuration || !isDouble {
		return types.NewErr("mttd_with takes a run, a duration and a percentage")
	}
	return types.Duration{Duration: run.MTTDWith(window, least)}
}

// costs estimates calls that CEL does not know.
type costs struct{}

// CallCost implements [interpreter.ActualCostEstimator].
func (costs) CallCost(function, _ string, _ []ref.Val, _ ref.Val) *uint64 {
	if function != "mttd_with" {
		return nil
	}
	return new(uint64(windowCost))
}

func (r Result) accepts(t *cel.Type) bool {
	switch r {
	case ResultBool:
		return t.IsExactType(cel.BoolType)
	case ResultNumber:
		return slices.ContainsFunc([]*cel.Type{cel.IntType, cel.UintType, cel.DoubleType, cel.DurationType},
			t.IsExactType)
	}
	return t.IsExactType(cel.StringType) || t.IsExactType(cel.ListType(cel.StringType))
}

func typeName(t *cel.Type) string {
	return strings.TrimPrefix(strings.TrimPrefix(t.String(), "google.protobuf."), "quizexpr.")
}

// Bool evaluates an expression of [ResultBool].
func (e *Expression) Bool(f *Facts) (bool, error) {
	v, err := e.evaluate(f)
	if err != nil {
		return false, err
	}
	is, ok := v.Value().(bool)
	if !ok {
		return false, errors.New("the expression does not give true or false")
	}
	return is, nil
}

// Number evaluates an expression of [ResultNumber].
func (e *Expression) Number(f *Facts) (float64, error) {
	v, err := e.evaluate(f)
	if err != nil {
		return 0, err
	}
	n := 0.0
	switch v := v.Value().(type) {
	case int64:
		n = float64(v)
	case uint64:
		n = float64(v)
	case float64:
		n = v
	case time.Duration:
		n = v.Seconds()
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, errors.New("the expression gives no number")
	}
	return n, nil
}

// Texts evaluates an expression of [ResultText].
func (e *Expression) Texts(f *Facts) ([]string, error) {
	v, err := e.evaluate(f)
	if err != nil {
		return nil, err
	}
	all := []ref.Val{v}
	if list, ok := v.(traits.Lister); ok {
		all = nil
		for i := list.Iterator(); i.HasNext() == types.True; {
			if all = append(all, i.Next()); len(all) > maxResults {
				return nil, fmt.Errorf("the expression gives more than %d texts", maxResults)
			}
		}
	}
	var texts []string
	for _, v := range all {
		s, ok := v.Value().(string)
		if !ok || len(s) > maxResult || strings.TrimSpace(s) == "" {
			return nil, fmt.Errorf("the expression does not give texts of 1 to %d bytes", maxResult)
		}
		texts = append(texts, s)
	}
	if len(texts) == 0 {
		return nil, errors.New("the expression gives no text")
	}
	return texts, nil
}

func (e *Expression) evaluate(f *Facts) (ref.Val, error) {
	ctx, stop := context.WithTimeout(context.Background(), maxTime)
	defer stop()
	v, _, err := e.program.ContextEval(ctx, map[string]any{"run": f.Run, "healthy": f.Healthy,
		"unguarded": f.Unguarded, "reference": f.Reference, "trial": f.Trial})
	if err != nil {
		return nil, fmt.Errorf("evaluate the expression: %w", err)
	}
	return v, nil
}
