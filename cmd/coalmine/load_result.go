package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	loadreport "coalmine/lab/report/load"
	"coalmine/lab/service"
	"coalmine/lab/verdict/objective"
	"coalmine/lab/verdict/score"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/results"
)

// exitObjective is for answers that violate an objective of the command line.
const exitObjective = 6

// loadResult is what a load, or several merged ones, came to.
type loadResult struct {
	ledger   *results.Results
	expected []service.Objective
	verdicts []objective.Verdict
}

func newLoadResult(l *results.Results, expected []service.Objective, demanded []objective.Objective) *loadResult {
	r := &loadResult{ledger: l, expected: expected}
	for _, o := range demanded {
		r.verdicts = append(r.verdicts, o.Judge(l))
	}
	return r
}

// exit is the code that the verdicts give: a violated objective weighs more than one that cannot be judged.
func (r *loadResult) exit() int {
	code := score.ExitPassed
	for _, v := range r.verdicts {
		switch v.State {
		case objective.Violated:
			return exitObjective
		case objective.Inconclusive:
			code = score.ExitInconclusive
		}
	}
	return code
}

// finishLoad prints what a load came to, and gives it its exit code.
func (env *Env) finishLoad(job *loadJob, f loadFlags, all *accounts, r attack.Report, sendErr error) error {
	result := newLoadResult(all.ledger, job.expected, job.objectives)
	if err := env.writeLoadResult(result, f.asJSON); err != nil {
		return err
	}
	switch {
	case errors.Is(sendErr, context.Canceled):
		return fmt.Errorf("%w: %d planned requests were not sent, and objectives are judged by what was", sendErr, r.Unsent)
	case sendErr != nil:
		return sendErr
	case r.Attempts > 0 && all.answered == 0:
		return fmt.Errorf("nobody answered one of %d requests: the table says why; is the target still up?", r.Attempts)
	}
	return exitWith(result.exit())
}

// loadJSON is a result as --json prints it.
type loadJSON struct {
	// Accounts are what --save writes.
	Accounts   json.RawMessage     `json:"accounts"`
	Objectives []objective.Verdict `json:"objectives,omitempty"`
}

func (env *Env) writeLoadResult(r *loadResult, asJSON bool) error {
	if asJSON {
		return r.writeJSON(env.Out)
	}
	o := loadreport.Options{Width: env.Width, Color: env.color()}
	for _, e := range r.expected {
		o.Objectives = append(o.Objectives, loadreport.Objective{Route: e.Route, Success: e.Success})
	}
	if err := loadreport.Text(env.Out, r.ledger, o); err != nil {
		return err
	}
	return r.writeVerdicts(env.Out)
}

func (r *loadResult) writeJSON(w io.Writer) error {
	var accounts bytes.Buffer
	if err := r.ledger.WriteDocument(&accounts); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(loadJSON{accounts.Bytes(), r.verdicts})
}

// writeVerdicts prints what became of each objective of the command line.
func (r *loadResult) writeVerdicts(w io.Writer) error {
	if len(r.verdicts) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("\nObjectives\n")
	for _, v := range r.verdicts {
		fmt.Fprintf(&b, "  %-12s  %s\n", v.State, v.Objective)
		for _, c := range v.Conditions {
			fmt.Fprintf(&b, "  %-12s    %s\n", "", c.Sentence)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
