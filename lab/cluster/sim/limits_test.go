package sim_test

import (
	"slices"
	"testing"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

// annotated returns a run of full-rollout's faulty version under its solution, where the Canary
// annotates the Service.
func annotated(t *testing.T, annotations map[string]string) cluster.RunSpec {
	t.Helper()
	spec := runSpec(t, "full-rollout", "solution", "", 1)
	spec.Version = spec.Scenario.Release.Faulty
	set := *spec.Guardrails
	set.Objects = nil
	for _, o := range spec.Guardrails.Objects {
		if c, ok := o.Value.(*flaggerv1.Canary); ok {
			c = c.DeepCopy()
			c.Spec.Service.Apex = &flaggerv1.CustomMetadata{Annotations: annotations}
			o.Value = c
		}
		set.Objects = append(set.Objects, o)
	}
	spec.Guardrails = &set
	return spec
}

// release returns the counts of the released version.
func release(events []event.Event, version string) (sum event.Cell) {
	for _, f := range factsOf[event.Traffic](events) {
		for _, c := range f.Cells {
			if c.Version == version {
				sum.N, sum.Errors, sum.ProxyRetried = sum.N+c.N, sum.Errors+c.Errors, sum.ProxyRetried+c.ProxyRetried
			}
		}
	}
	return sum
}

// Annotations that a Canary gives its Service hold in a run: retries hide the failures of a release
// from its users, but not from the solution's checks, which ask the attempts; the cells of the log
// show both.
func TestServiceAnnotationsOfCanary(t *testing.T) {
	spec := annotated(t, nil)
	plain, _ := play(t, spec)
	retried, _ := play(t, annotated(t, map[string]string{
		"retry.linkerd.io/http": "5xx", "retry.linkerd.io/limit": "3"}))
	before, after := release(plain, spec.Version), release(retried, spec.Version)
	if before.Errors == 0 || before.ProxyRetried != 0 || !slices.Contains(phases(plain), "Failed") {
		t.Fatalf("without annotations: %+v, phases %v", before, phases(plain))
	}
	if after.ProxyRetried == 0 || after.Errors*before.N*10 > before.Errors*after.N ||
		!slices.Contains(phases(retried), "Failed") {
		t.Errorf("retries do not hide the failures: %+v before, %+v with retries, phases %v", before, after,
			phases(retried))
	}
}
