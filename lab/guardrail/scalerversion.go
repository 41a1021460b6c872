package guardrail

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// scalerVersion is the version of autoscalers that the lab plays.
const scalerVersion = "autoscaling/v2"

// upgradeScaler changes an autoscaler of an older version to [scalerVersion], as the API server
// converts them, and returns its version. The fields keep their places.
// Source: kubernetes, pkg/apis/autoscaling/v1 and v2beta1, conversion.go.
func (c *checker) upgradeScaler(d *document, version, kind string) string {
	if kind != kindAutoscaler {
		return version
	}
	switch version {
	case "autoscaling/v1":
		upgradeV1Scaler(d.root)
	case "autoscaling/v2beta1", "autoscaling/v2beta2":
		c.note(d, "apiVersion", "is read as "+scalerVersion+": Kubernetes serves "+version+" no longer", "")
		metrics, _ := yamlpos.Root(d.root).Find("spec", "metrics")
		for _, m := range metrics.Items() {
			if version == "autoscaling/v2beta1" {
				upgradeMetric(m)
			}
		}
	default:
		return version
	}
	if n, ok := d.child("apiVersion"); ok {
		n.Value = scalerVersion
	}
	return scalerVersion
}

// upgradeV1Scaler writes the only metric of version 1 as one of several.
func upgradeV1Scaler(root *yaml.Node) {
	spec, ok := yamlpos.Root(root).Child("spec")
	if !ok {
		return
	}
	target := takeKey(spec.Value, "targetCPUUtilizationPercentage")
	if target == nil {
		return
	}
	list := yamlList(yamlMap("type", yamlText("Resource"), "resource", yamlMap("name", yamlText("cpu"),
		"target", yamlMap("type", yamlText("Utilization"), "averageUtilization", target))))
	placeAt(list, target)
	key := yamlText("metrics")
	placeAt(key, target)
	spec.Value.Content = append(spec.Value.Content, key, list)
}

// upgradeMetric gives a metric the field target in place of targetAverageUtilization and the like, and
// metric in place of metricName.
func upgradeMetric(m yamlpos.Field) {
	for _, source := range []string{"resource", "pods", "external", "object"} {
		f, ok := m.Child(source)
		if !ok || f.Value.Kind != yaml.MappingNode {
			continue
		}
		add := func(key string, value *yaml.Node) {
			added := yamlMap(key, value)
			placeAt(added, f.Value)
			f.Value.Content = append(f.Value.Content, added.Content...)
		}
		if object := takeKey(f.Value, "target"); object != nil && source == "object" {
			add("describedObject", object)
		}
		if name := takeKey(f.Value, "metricName"); name != nil {
			metric := yamlMap("name", name)
			for _, key := range []string{"selector", "metricSelector"} {
				if selector := takeKey(f.Value, key); selector != nil {
					metric.Content = append(metric.Content, yamlText("selector"), selector)
				}
			}
			add("metric", metric)
		}
		for _, t := range [][3]string{{"targetAverageUtilization", "Utilization", "averageUtilization"},
			{"targetAverageValue", "AverageValue", "averageValue"}, {"averageValue", "AverageValue", "averageValue"},
			{"targetValue", "Value", "value"}} {
			if value := takeKey(f.Value, t[0]); value != nil {
				add("target", yamlMap("type", yamlText(t[1]), t[2], value))
				break
			}
		}
	}
}

// takeKey removes a key of a mapping and returns its value, or nil.
func takeKey(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			value := n.Content[i+1]
			n.Content = slices.Delete(n.Content, i, i+2)
			return value
		}
	}
	return nil
}
