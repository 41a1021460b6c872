package lint_test

import (
	"fmt"
	"testing"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
)

// BenchmarkCheck checks 1,000 documents: Canaries and the templates that they use, three for
// each.
func BenchmarkCheck(b *testing.B) {
	const canaries, perSet = 250, 25
	var sets []*guardrail.Set
	for range canaries / perSet {
		sets = append(sets, manySet(b, perSet))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, set := range sets {
			lint.Check(set)
		}
	}
}

// manySet returns Canaries with three templates each.
func manySet(b *testing.B, canaries int) *guardrail.Set {
	b.Helper()
	files, env := map[string][]byte{}, scenarioEnvironment()
	env.Targets = nil
	for i := range canaries {
		name := fmt.Sprintf("shop-%d", i)
		env.Targets = append(env.Targets, name)
		env.Ports[name], env.TargetPorts[name], env.Rates[name] = 80, 8080, 20
		files[name+".yaml"] = manyManifests(name)
	}
	env.ReleaseTarget = "shop-0"
	set, err := guardrail.Parse(files, env)
	if err != nil {
		b.Fatal(err)
	}
	return set
}

func manyManifests(name string) []byte {
	canary := fmt.Sprintf(`apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: %[1]s}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: %[1]s, namespace: develop, port: 80}]
  analysis:
    interval: 30s
    threshold: 2
    stepWeights: [5, 25, 50, 100]
    metrics:
      - {name: success, templateRef: {name: %[1]s-success}, thresholdRange: {min: 95}, interval: 1m}
      - {name: latency, templateRef: {name: %[1]s-latency}, thresholdRange: {max: 500}, interval: 1m}
      - {name: volume, templateRef: {name: %[1]s-volume}, thresholdRange: {min: 1}, interval: 1m}
`, name)
	const selector = `namespace="{{ namespace }}",deployment="{{ target }}",direction="inbound"`
	for metric, query := range map[string]string{
		"success": `sum(rate(response_total{` + selector + `,classification="success"}[{{ interval }}]))
    / sum(rate(response_total{` + selector + `}[{{ interval }}])) * 100`,
		"latency": `histogram_quantile(0.9, sum by (le) (rate(response_latency_ms_bucket{` + selector +
			`}[{{ interval }}])))`,
		"volume": `sum(rate(response_total{` + selector + `}[{{ interval }}]))`,
	} {
		canary += fmt.Sprintf(`---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: %s-%s}
spec:
  provider: {type: prometheus, address: "http://prometheus.linkerd-viz:9090"}
  query: |
    %s
`, name, metric, query)
	}
	return []byte(canary)
}
