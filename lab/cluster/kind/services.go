package kind

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// defaultScenario is the scenario whose services run while no run is played.
const defaultScenario = "full-rollout"

// DefaultServices returns the services that run while no run is played.
func DefaultServices(image string) ([]*unstructured.Unstructured, error) {
	folder, err := scenario.Open(scenarios.Library(), defaultScenario)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	s, err := folder.Load()
	if err != nil {
		return nil, err
	}
	return Services(s, image)
}

// Services returns the objects of a scenario's services at their baseline versions with coalmine's
// image, in the order of creation: the namespace first.
func Services(s *scenario.Scenario, image string) ([]*unstructured.Unstructured, error) {
	c := &Cluster{image: image}
	config, err := c.configMap(cluster.RunSpec{Scenario: s}, names.DevelopNamespace, names.ScenarioConfigMap)
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	// The scenario must exist before its readers.
	for _, o := range slices.Insert(workloadsOf(s, 0, image).Objects(), 1, runtime.Object(config)) {
		u, err := toUnstructured(o)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}
