package scenario_test

import (
	"regexp"
	"testing"

	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// Names of versions say nothing but which run they are of, and which version was there before.
func TestNeutralVersion(t *testing.T) {
	form := regexp.MustCompile(`^r-[0-9a-f]{4}$`)
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		s, err := scenario.Load(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		service, seen := s.Release.Service, map[string]bool{}
		for seed := range uint64(20) {
			old := s.NeutralVersion(service, s.Released().Baseline, seed)
			faulty := s.NeutralVersion(service, s.Release.Faulty, seed)
			healthy := s.NeutralVersion(service, s.Release.Healthy, seed)
			if faulty != healthy || faulty == old || !form.MatchString(faulty) || !form.MatchString(old) {
				t.Errorf("%s, seed %d: baseline %s, faulty %s, healthy %s", name, seed, old, faulty, healthy)
			}
			for _, n := range []string{old, faulty} {
				if seen[n] {
					t.Errorf("%s, seed %d: %s is also a name in another run", name, seed, n)
				}
				seen[n] = true
			}
		}
	}
}

// Two versions of a run have different names even if the first draws are equal.
func TestNeutralVersionsDiffer(t *testing.T) {
	s := &scenario.Scenario{Name: "s", Services: []scenario.Service{{Name: "shop", Baseline: "v1"}}}
	for seed := range uint64(200_000) { // about 3 pairs of equal first draws
		if old := s.NeutralVersion("shop", "v1", seed); old == s.NeutralVersion("shop", "v2", seed) {
			t.Fatalf("seed %d: both are %s", seed, old)
		}
	}
}

// A neutral name stands for the baseline or for what the run releases.
func TestVersionOf(t *testing.T) {
	s := &scenario.Scenario{Name: "s", Release: scenario.Release{Service: "shop"},
		Services: []scenario.Service{{Name: "shop", Baseline: "v1"}, {Name: "search", Baseline: "w1"}}}
	old, release := s.NeutralVersion("shop", "v1", 7), s.NeutralVersion("shop", "v3", 7)
	for _, c := range []struct{ service, name, want string }{
		{"shop", old, "v1"}, {"shop", release, "v3"}, {"search", old, "w1"}, {"search", release, ""},
		{"shop", "v3", ""}, {"shop", "", ""}, {"other", old, ""},
	} {
		if got := s.VersionOf(c.service, c.name, "v3", 7); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.service, c.name, got, c.want)
		}
	}
	if got := s.VersionOf("shop", release, "v3", 8); got != "" {
		t.Errorf("with another seed: %q", got)
	}
	if got := s.VersionOf("shop", old, "v1", 7); got != "v1" {
		t.Errorf("a release of the baseline: %q", got)
	}
}
