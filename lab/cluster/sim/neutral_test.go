package sim_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// secret is in the names of all versions and faults of [withSecretNames].
const secret = "zebra"

// withSecretNames renames the versions of all services of a run, and their faults, so that they can
// be found in texts.
func withSecretNames(spec cluster.RunSpec) cluster.RunSpec {
	s := *spec.Scenario
	s.Services = slices.Clone(s.Services)
	for i := range s.Services {
		svc := &s.Services[i]
		versions := map[string]scenario.Version{}
		for name, v := range svc.Versions {
			v.Behaviour.Faults = slices.Clone(v.Behaviour.Faults)
			for k := range v.Behaviour.Faults {
				v.Behaviour.Faults[k].Name += secret
			}
			versions[secret+name] = v
		}
		svc.Versions, svc.Baseline = versions, secret+svc.Baseline
	}
	s.Release.Faulty, s.Release.Healthy = secret+s.Release.Faulty, secret+s.Release.Healthy
	spec.Scenario, spec.Version = &s, secret+spec.Version
	return spec
}

// observed is what guardrails could read in a run: shortly after the release, and in the end.
type observed struct {
	early, late sim.Readable
	// payloads are the bodies of webhooks, messages the texts of events and alerts.
	payloads, messages []string
	// versions are those in the log.
	versions map[string]bool
}

// observe plays a run. Early is a time at which no check can have failed yet.
func observe(t *testing.T, spec cluster.RunSpec) observed {
	t.Helper()
	o := observed{versions: map[string]bool{}}
	rec := event.NewRecorder(func(e event.Event) {
		switch f := e.Fact.(type) {
		case event.Flagger:
			o.messages = append(o.messages, f.Message)
		case event.Alert:
			o.messages = append(o.messages, f.Message)
		case event.Workload:
			o.versions[f.Version] = true
		case event.Traffic:
			for _, c := range f.Cells {
				o.versions[c.Version] = true
			}
		}
	})
	var bodies sync.Mutex
	err := sim.Cluster{}.Session(t.Context(), spec, rec, func(ctx context.Context, w cluster.World) error {
		if err := w.ApplyGuardrails(ctx); err != nil {
			return err
		}
		sim.WatchGates(w, func(body []byte) {
			bodies.Lock()
			defer bodies.Unlock()
			o.payloads = append(o.payloads, string(body))
		})
		initialized := func() bool { return w.Phase() == event.PhaseInitialized }
		if ready, err := w.Wait(ctx, 5*time.Minute, initialized); !ready {
			return fmt.Errorf("not initialized: %w", err)
		}
		if err := w.StartTraffic(ctx); err != nil {
			return err
		}
		if _, err := w.Wait(ctx, w.Now()+30*time.Second, nil); err != nil {
			return err
		}
		if err := w.Release(ctx); err != nil {
			return err
		}
		var err error
		for _, step := range []struct {
			wait time.Duration
			into *sim.Readable
		}{{45 * time.Second, &o.early}, {9 * time.Minute, &o.late}} {
			if _, err = w.Wait(ctx, w.Now()+step.wait, nil); err != nil {
				return err
			}
			if *step.into, err = sim.Read(w); err != nil {
				return err
			}
		}
		return w.StopTraffic(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Nothing that guardrails can read names a version of the scenario, or differs between a faulty and
// a healthy release of one seed before users have met it. What the scenario itself gives its
// versions, such as the label by which a policy selects one, is the exception.
func TestNothingGivesTheTruthAway(t *testing.T) {
	library, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	payloads, messages := 0, 0
	for _, name := range library {
		t.Run(name, func(t *testing.T) {
			var seen []observed
			for _, version := range []string{"v2", "v3"} {
				spec := withSecretNames(quiet(runSpec(t, name, "solution", version, 1)))
				o := observe(t, spec)
				checkSecrets(t, version, o)
				if !o.versions[spec.Version] || !o.versions[spec.Scenario.Released().Baseline] || len(o.versions) > 3 {
					t.Errorf("the log of %s has versions %v", version, slices.Sorted(maps.Keys(o.versions)))
				}
				seen, payloads, messages = append(seen, o), payloads+len(o.payloads), messages+len(o.messages)
			}
			if name == "killed-probes" { // its fault is the policy that the release brings, which anyone can read
				return
			}
			own := guardrail.VersionLabels(withSecretNames(runSpec(t, name, "", "v2", 1)).Scenario)
			if diff := cmp.Diff(timeless(seen[0].early, own), timeless(seen[1].early, own)); diff != "" {
				t.Errorf("before the first check (-faulty +healthy):\n%s", diff)
			}
		})
	}
	if payloads < 10 || messages < 100 {
		t.Errorf("only %d webhooks were called, with %d messages", payloads, messages)
	}
}

// checkSecrets checks that nothing readable has a secret name.
func checkSecrets(t *testing.T, version string, o observed) {
	t.Helper()
	for when, r := range map[string]sim.Readable{"early": o.early, "late": o.late} {
		if len(r.Labels) < 100 || len(r.Objects) < 5 {
			t.Errorf("%s, %s: only %d labels and %d objects", version, when, len(r.Labels), len(r.Objects))
		}
		for _, found := range r.Find(secret) {
			t.Errorf("%s, %s: %s", version, when, found)
		}
	}
	for _, text := range slices.Concat(o.payloads, o.messages) {
		if strings.Contains(text, secret) {
			t.Errorf("%s: %s", version, text)
		}
	}
}

// measured are labels whose values are what was measured.
var measured = []string{"status", "status_code", "classification", "http_status", "le", "error"}

// flaggerID is an annotation that Flagger draws at random, appliedSpec its hash of a template.
var (
	flaggerID   = regexp.MustCompile(`"flagger-id":"[^"]*"`)
	appliedSpec = regexp.MustCompile(`"lastAppliedSpec":"[^"]*"`)
)

// timeless returns labels and objects without measurements and the scenario's own labels.
func timeless(r sim.Readable, own []string) sim.Readable {
	labels := maps.Clone(r.Labels)
	maps.DeleteFunc(labels, func(label string, _ bool) bool {
		name, _, _ := strings.Cut(label, "=")
		return slices.Contains(measured, name) || slices.Contains(own, name) || name == "flagger-id"
	})
	objects := map[string]string{}
	for name, text := range r.Objects {
		for _, label := range own {
			text = regexp.MustCompile(`"`+label+`":"[^"]*"`).ReplaceAllString(text, "")
			text = appliedSpec.ReplaceAllString(text, "")
		}
		objects[name] = flaggerID.ReplaceAllString(text, "")
	}
	return sim.Readable{Labels: labels, Objects: objects}
}
