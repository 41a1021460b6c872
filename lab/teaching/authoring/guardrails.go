package authoring

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
)

// naive is what the team of the incident had.
const naive = "naive"

// missingVariant is the name of a variant of guardrails that a scenario lacks.
type missingVariant string

// Error implements error.
func (m missingVariant) Error() string {
	return fmt.Sprintf("there are no manifests in %s/", string(m))
}

// lint reads a variant. What it warns of matters in the solution only: the other two are there to be
// mended.
func (c *checker) lint(ctx context.Context, variant string) (Line, error) {
	variants, err := c.src.Variants()
	if err != nil {
		return Line{}, err
	}
	if !slices.Contains(variants, variant) {
		return Line{}, missingVariant(variant)
	}
	set, err := c.load(ctx, variant)
	if err != nil {
		return Line{}, err
	}
	if len(set.Files) == 0 {
		return Line{}, missingVariant(variant)
	}
	var warnings []guardrail.Finding
	for _, f := range lint.Check(set) {
		if f.Severity != guardrail.SeverityNote {
			warnings = append(warnings, trial.PrefixFinding(variant, f))
		}
	}
	message := fmt.Sprintf("%s, %s", format.Plural(len(set.Files), "file"), format.Plural(len(warnings), "warning"))
	if variant == scenario.Solution && len(warnings) > 0 {
		return Line{Outcome: Failed, Message: strings.Join(strings.Fields(warnings[0].String()), " "),
			Hint: "a solution is read as an example: mend it"}, nil
	}
	return Line{Outcome: OK, Message: message}, nil
}

// load reads the scenario's own variant, whatever is in the current folder.
func (c *checker) load(_ context.Context, variant string) (*guardrail.Set, error) {
	files, err := c.src.Files(variant)
	if err != nil {
		return nil, err
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(c.src.Scenario))
	return set, trial.PrefixFindings(variant, err)
}

// labels checks that nothing that guardrails can read tells the faulty version from the healthy one,
// unless it is the mechanism of the fault.
func (c *checker) labels() {
	s := c.src.Scenario
	released := s.Released()
	faulty, healthy := released.Versions[s.Release.Faulty], released.Versions[s.Release.Healthy]
	var all []string
	all = append(all, c.differences("label", faulty.Labels, healthy.Labels)...)
	all = append(all, c.differences("annotation", faulty.Annotations, healthy.Annotations)...)
	if faulty.ServiceAccount != healthy.ServiceAccount &&
		!c.mentioned(faulty.ServiceAccount) && !c.mentioned(healthy.ServiceAccount) {
		all = append(all, "the service account")
	}
	c.expect("labels", "no label, annotation or account tells the faulty version from the healthy one",
		problem{len(all) > 0, strings.Join(all, ", ") + " tells the faulty version from the healthy one",
			"give both versions the same; what differs has to be the behaviour, or what a policy of the scenario " +
				"selects by"})
}

// differences are the keys that differ between two versions and are no mechanism of the scenario.
func (c *checker) differences(what string, faulty, healthy map[string]string) []string {
	var found []string
	for _, key := range keysOf(faulty, healthy) {
		mesh := strings.HasPrefix(key, "config.linkerd.io/") || strings.HasPrefix(key, "config.alpha.linkerd.io/")
		if faulty[key] != healthy[key] && !c.mentioned(key) && !mesh {
			found = append(found, "the "+what+" "+key)
		}
	}
	return found
}

// mentioned reports whether a text is in the policies of the scenario.
func (c *checker) mentioned(text string) bool {
	s := c.src.Scenario
	if text == "" {
		return false
	}
	for _, v := range s.Released().Versions {
		if strings.Contains(v.Manifests, text) {
			return true
		}
	}
	return strings.Contains(s.Environment, text)
}

func keysOf(a, b map[string]string) []string {
	var all []string
	for _, m := range []map[string]string{a, b} {
		for key := range m {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
