package client

import (
	"net/url"
	"regexp"
	"strings"
)

// The host under which Flagger finds the agent, port 80, and the paths there. The addresses in the
// learner's objects are rewritten to these when they are applied.
const (
	Host = "gate.coalmine"
	// PathHooks is followed by the canary, the webhook's type, and the gate's path and query.
	PathHooks = "/hooks/"
	// PathAlerts is followed by the provider's name.
	PathAlerts = "/alerts/"
	// PathEvents receives what Flagger records on canaries without an event webhook of their own.
	PathEvents = "/flagger/events"
	// PathPrometheus is followed by /NAME.NAMESPACE for a canary's own metrics server.
	PathPrometheus = "/prometheus"
)

// GateURL returns what a canary's webhook calls in place of a gate's URL, so that the agent knows
// which webhook is calling. The type "" is Flagger's default, rollout. Other URLs are returned
// unchanged.
func GateURL(gate, canary, hook string) string {
	rest, ok := strings.CutPrefix(gate, "http://"+Host)
	if !ok {
		return gate
	}
	if hook == "" {
		hook = "rollout"
	}
	rest = strings.TrimPrefix(rest, ":80")
	return "http://" + Host + PathHooks + url.PathEscape(canary) + "/" + url.PathEscape(hook) + rest
}

// AlertURL returns where alerts to a provider are posted.
func AlertURL(provider string) string {
	return "http://" + Host + PathAlerts + url.PathEscape(provider)
}

// EventsURL is the event webhook that Flagger is configured with (flagger, -event-webhook).
const EventsURL = "http://" + Host + PathEvents

// PrometheusURL returns the agent's recording Prometheus: for a canary (NAME.NAMESPACE), or with ""
// for metric templates, whose queries contain who asks.
func PrometheusURL(canary string) string {
	if canary != "" {
		canary = "/" + url.PathEscape(canary)
	}
	return "http://" + Host + PathPrometheus + canary
}

var (
	hookAddress       = regexp.MustCompile(regexp.QuoteMeta(Host+PathHooks) + `[a-z0-9.-]+/[a-z-]+`)
	alertAddress      = regexp.MustCompile(regexp.QuoteMeta(Host + PathAlerts))
	prometheusAddress = regexp.MustCompile(regexp.QuoteMeta(Host+PathPrometheus) + `(/[a-z0-9.-]+\.[a-z0-9-]+)?`)
)

// Public replaces the agent's addresses in a text, such as one of Flagger's messages, by those that
// the learner wrote.
func Public(text string) string {
	text = hookAddress.ReplaceAllString(text, Host)
	text = alertAddress.ReplaceAllString(text, "alerts.coalmine/")
	return prometheusAddress.ReplaceAllString(text, "prometheus.linkerd-viz:9090")
}
