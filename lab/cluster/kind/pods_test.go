package kind

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// The command and the labels that pods of services run with are known to cmd/internal/podcmd and to
// Flagger, which no compiler checks.
func TestPodsOfServices(t *testing.T) {
	folder, err := scenario.Open(scenarios.Library(), defaultScenario)
	if err != nil {
		t.Fatal(err)
	}
	s, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range workloadsOf(s, testImage).Objects() {
		d, ok := o.(*appsv1.Deployment)
		if !ok {
			continue
		}
		c := d.Spec.Template.Spec.Containers[0]
		if c.Image != testImage || !slices.Equal(c.Args, []string{"app"}) {
			t.Errorf("%s runs %s %q", d.Name, c.Image, c.Args)
		}
		var label string
		for _, e := range c.Env {
			if e.Name == "COALMINE_WORKLOAD" {
				label = e.ValueFrom.FieldRef.FieldPath
			}
		}
		if label != "metadata.labels['app']" {
			t.Errorf("%s takes its workload from %q", d.Name, label)
		}
	}
}
