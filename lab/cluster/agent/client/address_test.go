package client_test

import (
	"testing"

	"coalmine/lab/cluster/agent/client"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ got, want, public string }{
		{client.GateURL("http://gate.coalmine/volume?min=10", "backend", "pre-rollout"),
			"http://gate.coalmine/hooks/backend/pre-rollout/volume?min=10", "http://gate.coalmine/volume?min=10"},
		{client.GateURL("http://gate.coalmine:80/mtls", "backend", ""),
			"http://gate.coalmine/hooks/backend/rollout/mtls", "http://gate.coalmine/mtls"},
		{client.GateURL("http://elsewhere/mtls", "backend", ""), "http://elsewhere/mtls", "http://elsewhere/mtls"},
		{client.AlertURL("on-call"), "http://gate.coalmine/alerts/on-call", "http://alerts.coalmine/on-call"},
		{client.PrometheusURL(""), "http://gate.coalmine/prometheus", "http://prometheus.linkerd-viz:9090"},
		{client.PrometheusURL("backend.develop"), "http://gate.coalmine/prometheus/backend.develop",
			"http://prometheus.linkerd-viz:9090"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
		if got := client.Public("Post \"" + c.got + "\": no"); got != "Post \""+c.public+"\": no" {
			t.Errorf("%s, want %s", got, c.public)
		}
	}
	if got := client.Public(client.PrometheusURL("backend.develop") +
		"/api/v1/query?query=x"); got != "http://prometheus.linkerd-viz:9090/api/v1/query?query=x" {
		t.Error(got)
	}
	if got := client.Public(client.PrometheusURL("") +
		"/api/v1/query?query=x"); got != "http://prometheus.linkerd-viz:9090/api/v1/query?query=x" {
		t.Error(got)
	}
}
