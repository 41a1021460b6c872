package main

import (
	"github.com/spf13/pflag"

	"coalmine/lab/guardrail/source"
)

// readerFlags say how guardrails are read that do not stand for themselves.
type readerFlags struct {
	vars, helmValues []string
}

func (f *readerFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.vars, "var", nil, "`NAME=VALUE` of a Flux variable in the guardrails; repeat it for more")
	flags.StringArrayVar(&f.helmValues, "helm-values", nil, "render the guardrails, a Helm chart, with the values in "+
		"`FILE`; repeat it for more")
}

// options returns the options of the reader.
func (f readerFlags) options(env *Env) (source.Options, error) {
	vars, err := source.ParseVars(f.vars)
	if err != nil {
		return source.Options{}, invalid("write --var NAME=VALUE", "--var: %w", err)
	}
	o := source.Options{Stdin: env.In, Vars: vars}
	for _, name := range f.helmValues {
		o.HelmValues = append(o.HelmValues, env.path(name))
	}
	return o, nil
}
