package gate_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster/gate"
	"coalmine/lab/guardrail"
)

// state is a fake state of a run.
type state struct {
	pods     []gate.Pod
	peers    []gate.Peer
	denied   map[string]string // pod+client → reason
	drill    gate.Drill
	counts   map[string]gate.Count
	approved bool
}

func (s state) Pods(string) []gate.Pod   { return s.pods }
func (s state) Peers(string) []gate.Peer { return s.peers }
func (s state) Clients(string) []gate.Client {
	return []gate.Client{{Name: "edge", Identity: "edge.develop"}, {Name: "mobile", Identity: "mobile.develop"}}
}
func (s state) Admits(p gate.Pod, c gate.Client) (bool, string) {
	why, denied := s.denied[p.Name+" "+c.Name]
	return !denied, why
}
func (s state) RollbackDrill(_ string, probes int) gate.Drill {
	d := s.drill
	d.Probes = probes
	return d
}
func (s state) Canary(_, cohort string, _ time.Duration) gate.Count { return s.counts[cohort] }
func (s state) Approved() bool                                      { return s.approved }

const unknown = "a client without identity"

func covered() map[string]string {
	return map[string]string{"c " + unknown: "no", "p " + unknown: "no"}
}

func pods() []gate.Pod {
	return []gate.Pod{{Name: "c", Canary: true, Meshed: true, Identity: "backend.develop"}, {Name: "p", Meshed: true, Identity: "backend.develop"}}
}

func with(m map[string]string, key, reason string) map[string]string { m[key] = reason; return m }
func without(m map[string]string, key string) map[string]string      { delete(m, key); return m }

func TestGates(t *testing.T) {
	for _, c := range []struct {
		name, url string
		state     state
		passed    bool
		reason    string
	}{
		{"mtls seen", "mtls", state{pods: pods(), peers: []gate.Peer{{"c", "edge.develop"}}}, true, "clients so far: 1, all with mutual TLS"},
		{"mtls without canary pods", "mtls", state{pods: pods()[1:]}, false, "no canary pod"},
		{"mtls without proxy", "mtls", state{pods: []gate.Pod{{Name: "c", Canary: true}}}, false, "pod c has no proxy"},
		{"mtls with a plain client", "mtls", state{pods: pods(), peers: []gate.Peer{{"c", "edge.develop"}, {"c", ""}}}, false, "a client called pod c without mutual TLS"},
		{"policy in place", "policy", state{pods: pods(), denied: covered()}, true, "allow 2 clients and deny any other"},
		{"policy denies a client", "policy", state{pods: pods(), denied: with(covered(), "c mobile", "no authorization")}, false, "canary pod c denies mobile: no authorization"},
		{"policy open", "policy", state{pods: pods()}, false, "canary pod c allows any client"},
		{"policy leaves the primary open", "policy", state{pods: pods(), denied: without(covered(), "p "+unknown)}, false, "primary pod p allows any client"},
		{"policy without canary pods", "policy", state{}, false, "no canary pod"},
		{"drill", "rollback-drill", state{drill: gate.Drill{Forward: 20, Back: 20}}, true, "20 probes reached the canary"},
		{"drill never forward", "rollback-drill", state{drill: gate.Drill{Forward: 0, Back: 20, Denied: "503"}}, false, "0 of 20 probes reached the canary while the drill's rule routed them there: 503"},
		{"drill never back", "rollback-drill", state{drill: gate.Drill{Forward: 20, Back: 19}}, false, "19 of 20 probes reached the primary"},
		{"volume", "volume?min=100", state{counts: map[string]gate.Count{"": {Requests: 100}}}, true, "100 requests"},
		{"volume too low", "volume?min=100", state{counts: map[string]gate.Count{"": {Requests: 99}}}, false, "fewer than 100"},
		{"cohort healthy", "cohort?name=premium&max-error=1", state{counts: map[string]gate.Count{"premium": {Requests: 200, Failed: 2}}}, true, "1.00 % of 200"},
		{"cohort failing", "cohort?name=premium&max-error=1", state{counts: map[string]gate.Count{"premium": {Requests: 200, Failed: 3}}}, false, "1.50 % of 200 requests of cohort premium failed"},
		{"cohort without requests", "cohort?name=premium&max-error=1", state{}, false, "inconclusive"},
		{"cohort too few", "cohort?name=premium&max-error=1&min=50", state{counts: map[string]gate.Count{"premium": {Requests: 49}}}, false, "fewer than 50: inconclusive"},
		{"approved", "approve", state{approved: true}, true, "approved"},
		{"events", "events", state{}, true, "received"},
		{"not approved", "approve", state{}, false, "not approved yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := guardrail.ParseGate("http://gate.coalmine/" + c.url)
			if err != nil {
				t.Fatal(err)
			}
			a := gate.Evaluate(c.state, "backend", call)
			if a.Passed != c.passed || !strings.Contains(a.Reason, c.reason) {
				t.Errorf("passed %v, %q; want %v, %q", a.Passed, a.Reason, c.passed, c.reason)
			}
			// Flagger treats a status above 202 as a failed check.
			if (a.Status() <= http.StatusAccepted) != c.passed {
				t.Errorf("status %d for passed %v", a.Status(), c.passed)
			}
		})
	}
}
