package lint

import (
	"regexp"
	"strings"

	"coalmine/lab/guardrail/series"
)

// values returns the values that a label of a family can have, nil if they are not known.
func (p *pass) values(f series.Family, label string) []string {
	env := p.set.Environment
	switch label {
	case "direction":
		return []string{"inbound", "outbound"}
	case "classification":
		return []string{"success", "failure"}
	case "tls":
		return []string{"true", "no_identity", "disabled", "loopback"}
	case "error":
		if strings.HasPrefix(f.Name, "outbound_http_route_") {
			return []string{"FAIL_FAST", "LOAD_SHED", "REQUEST_TIMEOUT", "RESPONSE_STREAM_TIMEOUT",
				"RESPONSE_HEADERS_TIMEOUT", "UNKNOWN", ""}
		}
	case "status_code", "http_status", "status":
		return statuses()
	case "deployment", "dst_deployment":
		if p.played() && !strings.HasPrefix(f.Name, "flagger_") {
			return deployments(env.Targets, env.Clients)
		}
	case "namespace", "dst_namespace":
		if p.played() {
			return []string{env.Namespace, "linkerd", "linkerd-viz"}
		}
	}
	return nil
}

// statuses returns every HTTP status, and that of an answer that never came.
func statuses() []string {
	all := []string{""}
	for code := 100; code < 600; code++ {
		all = append(all, string([]byte{byte('0' + code/100), byte('0' + code/10%10), byte('0' + code%10)}))
	}
	return all
}

// deployments returns the Deployments of services and clients: Flagger adds X-primary.
func deployments(targets, clients []string) []string {
	var all []string
	for _, t := range targets {
		all = append(all, t, t+"-primary")
	}
	return append(all, clients...)
}

// statusClass matches how people write a class of statuses.
var statusClass = regexp.MustCompile(`^([1-5])(xx|XX|\*)$`)
