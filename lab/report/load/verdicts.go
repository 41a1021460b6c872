package loadreport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen/results"
)

// WriteVerdicts writes the result of each objective as text; without verdicts it writes nothing.
func WriteVerdicts(w io.Writer, verdicts []objective.Verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("\nObjectives\n")
	for _, v := range verdicts {
		fmt.Fprintf(&b, "  %-12s  %s\n", v.State, v.Objective)
		for _, c := range v.Conditions {
			fmt.Fprintf(&b, "  %-12s    %s\n", "", c.Sentence)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// jsonReport is what [WriteJSON] writes.
type jsonReport struct {
	// Results is the document of [results.Results.WriteDocument], Limits those that the generator
	// reached.
	Results    json.RawMessage     `json:"accounts"`
	Limits     []results.Limit     `json:"limits,omitempty"`
	Objectives []objective.Verdict `json:"objectives,omitempty"`
}

// WriteJSON writes results and verdicts as JSON.
func WriteJSON(w io.Writer, r *results.Results, verdicts []objective.Verdict) error {
	var document bytes.Buffer
	if err := r.WriteDocument(&document); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(jsonReport{document.Bytes(), r.Limits(), verdicts})
}
