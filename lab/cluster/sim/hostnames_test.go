package sim

import "testing"

// A log must not contain a run's own host names, which differ between runs.
func TestCanonicalHosts(t *testing.T) {
	h := newHostnames(12)
	for text, want := range map[string]string{
		"POST http://" + h.gate("checkout", 3) + "/mtls: giving up": "POST http://gate.coalmine/mtls: giving up",
		"GET http://" + h.prometheus +
			"/api/v1/query": "GET http://prometheus.linkerd-viz:9090/api/v1/query",
		"POST http://" + h.alerts + "/slack": "POST http://alerts.coalmine/slack",
		"checkout answered 200":              "checkout answered 200",
	} {
		if got := h.canonical(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
