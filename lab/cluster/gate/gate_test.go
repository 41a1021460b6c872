package gate_test

import (
	"errors"
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
	admitted map[string]bool   // pod+identity
	denied   map[string]string // pod+identity → reason
	drill    gate.Drill
	counts   map[string]gate.Count
	approved bool
	// broken is the method that fails.
	broken string
}

func (s state) fail(method string) error {
	if s.broken == method {
		return errors.New("the API server is down")
	}
	return nil
}

func (s state) Pods(string) ([]gate.Pod, error)   { return s.pods, s.fail("pods") }
func (s state) Peers(string) ([]gate.Peer, error) { return s.peers, s.fail("peers") }
func (s state) Clients(string) []gate.Client {
	return []gate.Client{{Name: "edge", Identity: edge}, {Name: "mobile", Identity: mobile}}
}
func (s state) Admits(p gate.Pod, c gate.Client) (bool, string, error) {
	key := p.Name + " " + c.Identity
	known := c.Name != "" && s.denied[key] == ""
	return known || s.admitted[key] || s.admitted[p.Name+" *"] && c.Identity != "", s.denied[key],
		s.fail("admits " + key)
}
func (s state) RollbackDrill(_ string, probes int) (gate.Drill, error) {
	d := s.drill
	d.Probes = probes
	return d, s.fail("drill")
}
func (s state) Canary(_, cohort string, _ time.Duration) gate.Count { return s.counts[cohort] }
func (s state) Approved() bool                                      { return s.approved }

const edge, mobile = "edge.develop.id", "mobile.develop.id"

// certified are the pods with these times left of a day.
func certified(canary, primary time.Duration) []gate.Pod {
	list := pods()
	for i, left := range []time.Duration{canary, primary} {
		list[i].CertificateLeft, list[i].CertificateLife = left, 24*time.Hour
	}
	return list
}

func pods() []gate.Pod {
	return []gate.Pod{{Name: "c", Canary: true, Meshed: true, Identity: "backend.develop"},
		{Name: "p", Meshed: true, Identity: "backend.develop"}}
}

func TestGates(t *testing.T) {
	for _, c := range []struct {
		name, url string
		state     state
		passed    bool
		reason    string
	}{
		{"mtls seen", "mtls", state{pods: pods(), peers: []gate.Peer{{"c", "edge.develop"}}}, true,
			"clients so far: 1, all with mutual TLS"},
		{"mtls without canary pods", "mtls", state{pods: pods()[1:]}, false, "no canary pod"},
		{"mtls without proxy", "mtls", state{pods: []gate.Pod{{Name: "c", Canary: true}}}, false, "pod c has no proxy"},
		{"mtls with a plain client", "mtls", state{pods: pods(), peers: []gate.Peer{{"c", "edge.develop"}, {"c", ""}}},
			false, "a client called pod c without mutual TLS"},
		{"mtls cannot see the pods", "mtls", state{broken: "pods"}, false,
			"the lab could not find out: the API server is down"},
		{"mtls with a certificate of today", "mtls", state{pods: certified(8*time.Hour, 9*time.Hour)}, true,
			"identity"},
		{"mtls with a certificate that ends", "mtls", state{pods: certified(5*time.Minute, 9*time.Hour)}, false,
			"the certificate of the canary pod c ends in 5m0s, although the mesh issues certificates for 24h0m0s"},
		{"mtls with a primary whose certificate ends", "mtls", state{pods: certified(8*time.Hour, time.Minute)}, false,
			"the certificate of the primary pod p ends in 1m0s"},
		{"mtls cannot see the peers", "mtls", state{pods: pods(), broken: "peers"}, false, "the API server is down"},
		{"policy in place", "policy", state{pods: pods()}, true, "2 pods admit 2 clients and no stranger"},
		{"policy denies a client", "policy", state{pods: pods(),
			denied: map[string]string{"c " + mobile: "no authorization"}}, false,
			"canary pod c denies mobile: no authorization"},
		{"policy open", "policy", state{pods: pods(), admitted: map[string]bool{"c ": true, "p ": true}}, false,
			"canary pod c admits a client without identity"},
		{"policy leaves the primary open", "policy", state{pods: pods(), admitted: map[string]bool{"p ": true}}, false,
			"primary pod p admits a client without identity"},
		{"policy admits everybody in the mesh", "policy", state{pods: pods(), admitted: map[string]bool{"c *": true}},
			false, "canary pod c admits the stranger nobody.develop."},
		{"policy of an unmeshed pod", "policy", state{pods: []gate.Pod{{Name: "c", Canary: true}}}, false,
			"canary pod c has no proxy and admits any client"},
		{"policy without canary pods", "policy", state{}, false, "no canary pod"},
		{"policy cannot see the pods", "policy", state{broken: "pods"}, false, "the API server is down"},
		{"policy cannot ask for a client", "policy", state{pods: pods(), broken: "admits p " + edge}, false,
			"the API server is down"},
		{"policy cannot ask for a stranger", "policy", state{pods: pods(), broken: "admits c "}, false,
			"the API server is down"},
		{"drill cannot be tried", "rollback-drill", state{drill: gate.Drill{Forward: 20, Back: 20}, broken: "drill"},
			false, "the API server is down"},
		{"drill", "rollback-drill", state{drill: gate.Drill{Forward: 20, Back: 20}}, true,
			"20 probes reached the canary"},
		{"drill never forward", "rollback-drill", state{drill: gate.Drill{Forward: 0, Back: 20, Denied: "503"}}, false,
			"0 of 20 probes reached the canary while the drill's rule routed them there: 503"},
		{"drill never back", "rollback-drill", state{drill: gate.Drill{Forward: 20, Back: 19}}, false,
			"19 of 20 probes reached the primary"},
		{"volume", "volume?min=100", state{counts: map[string]gate.Count{"": {Requests: 100}}}, true, "100 requests"},
		{"volume too low", "volume?min=100", state{counts: map[string]gate.Count{"": {Requests: 99}}}, false,
			"fewer than 100"},
		{"cohort healthy", "cohort?name=premium&max-error=1",
			state{counts: map[string]gate.Count{"premium": {Requests: 200, Failed: 2}}}, true, "1.00 % of 200"},
		{"cohort failing", "cohort?name=premium&max-error=1",
			state{counts: map[string]gate.Count{"premium": {Requests: 200, Failed: 3}}}, false,
			"1.50 % of 200 requests of cohort premium failed"},
		{"cohort without requests", "cohort?name=premium&max-error=1", state{}, false, "inconclusive"},
		{"cohort too few", "cohort?name=premium&max-error=1&min=50",
			state{counts: map[string]gate.Count{"premium": {Requests: 49}}}, false, "fewer than 50: inconclusive"},
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
			if (a.Err != nil) != (c.state.broken != "") {
				t.Errorf("error %v", a.Err)
			}
			// Flagger treats a status above 202 as a failed check.
			if (a.Status() <= http.StatusAccepted) != c.passed {
				t.Errorf("status %d for passed %v", a.Status(), c.passed)
			}
		})
	}
}
