package sim_test

import (
	"os"
	"strings"
	"testing"

	"coalmine/lab/cluster/sim"
)

// The versions in the log must be those linked.
func TestVersionsMatchGoMod(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for name, module := range map[string]string{
		"flagger": "github.com/fluxcd/flagger", "prometheus": "github.com/prometheus/prometheus",
		"kubernetes": "k8s.io/client-go",
	} {
		version := sim.Cluster{}.Describe().Versions[name]
		if want := module + " v" + version + "\n"; version == "" || !strings.Contains(string(mod), want) {
			t.Errorf("%s: the log says %q, go.mod does not have %q", name, version, want)
		}
	}
}
