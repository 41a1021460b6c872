package sim_test

import (
	"testing"

	"coalmine/lab/cluster/sim"
	"coalmine/lab/run/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, sim.Cluster{Version: "test"}, conformance.Options{Tolerance: conformance.Virtual()})
}
