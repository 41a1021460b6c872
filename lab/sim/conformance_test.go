package sim_test

import (
	"testing"

	"coalmine/lab/clustertest"
	"coalmine/lab/sim"
)

func TestConformance(t *testing.T) {
	clustertest.Run(t, sim.Cluster{Version: "test"}, clustertest.Options{Tolerance: clustertest.Virtual()})
}
