package trafficpod

import (
	"testing"

	"coalmine/lab/cluster/agent/client"
	"coalmine/loadgen"
)

// Whose doing an answer of a proxy is depends on what the agent found out.
func TestAttribute(t *testing.T) {
	denier := client.WorkloadVersion{Workload: "backend", Version: "v2"}
	for name, c := range map[string]struct {
		in          loadgen.Outcome
		state       *recorder
		hit, byMesh bool
	}{
		"served": {in: loadgen.Outcome{Status: 200, Version: "v2"},
			state: &recorder{crashed: true, deniedByRelease: true}},
		"denied by anybody": {in: loadgen.Outcome{Status: 403}, byMesh: true},
		"denied by the guardrails": {in: loadgen.Outcome{Status: 403, ByMesh: true}, state: &recorder{denying: denier},
			byMesh: true},
		"denied by the release": {
			in: loadgen.Outcome{Status: 403, ByMesh: true}, state: &recorder{denying: denier, deniedByRelease: true},
			hit: true, byMesh: true,
		},
		"denied by the service itself": {in: loadgen.Outcome{Status: 403, Version: "v2"},
			state: &recorder{deniedByRelease: true}},
		"denied by the old version": {
			in: loadgen.Outcome{Status: 403, ByMesh: true, Version: "v1"}, state: &recorder{deniedByRelease: true},
			byMesh: true,
		},
		"no route": {in: loadgen.Outcome{Status: 404, ByMesh: true}, state: &recorder{crashed: true},
			byMesh: true},
		"no endpoint": {in: loadgen.Outcome{Status: 504, ByMesh: true}, byMesh: true},
		"after a crash": {in: loadgen.Outcome{Status: 502, ByMesh: true}, state: &recorder{crashed: true},
			hit: true, byMesh: true},
		"an error of a service": {in: loadgen.Outcome{Status: 503, Version: "v1"}, state: &recorder{crashed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			state, got := c.state, c.in
			if state == nil {
				state = &recorder{}
			}
			state.baseline = "v1"
			state.attribute(&got)
			if got.Hit != c.hit || got.ByMesh != c.byMesh {
				t.Errorf("%+v: hit %v, by the mesh %v", c.in, got.Hit, got.ByMesh)
			}
		})
	}
}
