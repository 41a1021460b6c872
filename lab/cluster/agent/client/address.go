package client

import (
	"net/url"
	"regexp"
	"strings"
)

// The host under which Flagger finds the desk, port 80, and the paths there. The learner's objects are turned to these addresses
// when they are applied.
const (
	Host = "gate.coalmine"
	// PathHooks is followed by the canary, the webhook's type, and the gate's path and query.
	PathHooks = "/hooks/"
	// PathAlerts is followed by the provider's name.
	PathAlerts = "/alerts/"
	// PathEvents takes what Flagger records on canaries that have no event webhook of their own.
	PathEvents = "/flagger/events"
	// PathPrometheus is followed by /NAME.NAMESPACE for a canary's own metrics server.
	PathPrometheus = "/prometheus"
)

// GateURL is what a webhook of a canary calls in place of a gate's URL: so the desk knows which webhook calls. The type "" is that of
// Flagger's default, rollout. What is no gate's URL stays as it is; nobody answers it.
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

// AlertURL is where alerts to a provider are posted.
func AlertURL(provider string) string {
	return "http://" + Host + PathAlerts + url.PathEscape(provider)
}

// EventsURL is what Flagger is told as its event webhook (flagger, -event-webhook).
const EventsURL = "http://" + Host + PathEvents

// PrometheusURL is the desk's recording Prometheus: for a canary (NAME.NAMESPACE) by itself, or with "" for metric templates, whose
// queries say who asks.
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

// Public turns the desk's addresses in a text, as Flagger's messages have them, back to those that the learner wrote.
func Public(text string) string {
	text = hookAddress.ReplaceAllString(text, Host)
	text = alertAddress.ReplaceAllString(text, "alerts.coalmine/")
	return prometheusAddress.ReplaceAllString(text, "prometheus.linkerd-viz:9090")
}
