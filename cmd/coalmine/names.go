package main

import (
	"strings"

	"github.com/spf13/pflag"

	"coalmine/lab/guardrail"
)

// nameMap is the option --map of commands that read guardrails.
type nameMap []guardrail.NameRule

func (m *nameMap) add(flags *pflag.FlagSet) {
	flags.Var(m, "map", "play NAME of the manifests as SERVICE of the scenario: `NAME=SERVICE`, or "+
		"NAMESPACE/NAME=SERVICE (repeatable)")
}

// String implements [pflag.Value].
func (m *nameMap) String() string {
	texts := make([]string, len(*m))
	for i, r := range *m {
		texts[i] = r.String()
	}
	return strings.Join(texts, ",")
}

// Set implements [pflag.Value].
func (m *nameMap) Set(text string) error {
	r, err := guardrail.ParseNameRule(text)
	if err == nil {
		*m = append(*m, r)
	}
	return err
}

// Type implements [pflag.Value].
func (m *nameMap) Type() string { return "NAME=SERVICE" }
