package kind

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"coalmine/lab/cluster/names"
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
	for _, o := range workloadsOf(s, 0, testImage).Objects() {
		d, ok := o.(*appsv1.Deployment)
		if !ok {
			continue
		}
		c := d.Spec.Template.Spec.Containers[0]
		if c.Image != testImage || !slices.Equal(c.Args, []string{"app"}) {
			t.Errorf("%s runs %s %q", d.Name, c.Image, c.Args)
		}
		var label, spec string
		for _, e := range c.Env {
			switch e.Name {
			case "COALMINE_WORKLOAD":
				label = e.ValueFrom.FieldRef.FieldPath
			case "COALMINE_RUN_SPEC":
				spec = e.Value
			}
		}
		if spec != names.ScenarioDir+"/run.json" {
			t.Errorf("%s reads the run spec %q", d.Name, spec)
		}
		if label != "metadata.labels['app']" {
			t.Errorf("%s takes its workload from %q", d.Name, label)
		}
	}
}
