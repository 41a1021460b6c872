package main

import (
	"testing"

	"coalmine/lab/cluster/kind"
	"coalmine/lab/cluster/sim"
)

// The time that a trial and its check seeds take on a real cluster is said before they start; in the
// sim nothing is.
func TestAnnouncedTime(t *testing.T) {
	const trialOf2 = "The trial takes about 32 min on the cluster, 16 min for each run.\n"
	for name, c := range map[string]struct {
		cluster, compare string
		checkSeeds       int
		want             string
	}{
		"sim":                 {sim.Name, sim.Name, 20, ""},
		"without check seeds": {kind.Name, sim.Name, 0, trialOf2},
		"one": {kind.Name, sim.Name, 1, trialOf2 +
			"If it passes, 1 check seed takes about 32 min more: 32 min for each seed, with 2 runs.\n"},
		"three": {kind.Name, sim.Name, 3, trialOf2 +
			"If it passes, 3 check seeds take about 96 min more: 32 min for each seed, with 2 runs.\n"},
		"all on the cluster": {kind.Name, kind.Name, 1,
			"The trial takes about 64 min on the cluster, 16 min for each run.\n" +
				"If it passes, 1 check seed takes about 48 min more: 48 min for each seed, with 3 runs.\n"},
	} {
		th := newTestEnv(t, &fakeCluster{})
		src, err := th.openScenario("full-rollout")
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		f := runFlags{guardrails: "naive", seed: 1, trials: 1, checkSeeds: c.checkSeeds,
			clusterFlags: clusterFlags{cluster: c.cluster, compare: c.compare}}
		planned, err := th.plan(t.Context(), src, f)
		if err != nil {
			t.Fatal(err)
		}
		th.announceTime(planned, f.clusterFlags)
		if got := th.err.String(); got != c.want {
			t.Errorf("%s: it says %q, want %q", name, got, c.want)
		}
	}
}

// Check seeds are off on a real cluster unless they are asked for.
func TestCheckSeedsOfAClusterAreAskedFor(t *testing.T) {
	for flags, want := range map[string]int{"": 0, "check-seeds": 7} {
		f := runFlags{checkSeeds: 7, clusterFlags: clusterFlags{cluster: kind.Name}}
		f.setDefaults(func(flag string) bool { return flag == flags })
		if f.checkSeeds != want {
			t.Errorf("with %q changed: %d check seeds, want %d", flags, f.checkSeeds, want)
		}
	}
}
