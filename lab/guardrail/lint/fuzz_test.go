package lint_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
)

// FuzzCheck looks for queries that are accepted and make a rule panic.
func FuzzCheck(f *testing.F) {
	for line := range strings.Lines(string(read(f, "testdata/cases/query.txtar"))) {
		if query, ok := strings.CutPrefix(line, "with: "); ok {
			f.Add(strings.TrimSpace(query))
		}
	}
	f.Fuzz(func(t *testing.T, query string) {
		text, err := json.Marshal(query)
		if err != nil {
			t.Skip(err)
		}
		set, err := guardrail.Parse(map[string][]byte{"canary.yaml": fmt.Appendf(nil, `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: backend}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
  analysis:
    interval: 30s
    threshold: 2
    iterations: 5
    metrics: [{name: p95, query: %s, thresholdRange: {max: 1}, interval: 1m}]
`, text)}, testEnvironment())
		if err != nil {
			return
		}
		for _, w := range lint.Check(set) {
			if w.Rule == "" || w.Message == "" || w.Hint == "" || strings.ContainsAny(w.String(), "\n\x00\x1b") {
				t.Fatalf("got %q", w)
			}
		}
	})
}
