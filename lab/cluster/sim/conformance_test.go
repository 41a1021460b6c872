package sim_test

import (
	"testing"

	"coalmine/lab/cluster/conformance"
	"coalmine/lab/cluster/sim"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, sim.Cluster{Version: "test"}, conformance.Options{Tolerance: conformance.Virtual()})
}
