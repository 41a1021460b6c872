// Package gate answers the lab's gates: yes or no about the live state of a run, with the reason. Canary webhooks call them by
// HTTP; what carries the call, and which cluster the state is of, is not known here.
package gate

import (
	"fmt"
	"net/http"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
)

// Answer is a gate's word. The zero Answer is a no without a reason; gates always give one.
type Answer struct {
	Passed bool
	// Reason says why, and after a no what to look at.
	Reason string
	// Drill is what a rehearsal of the rollback saw; nil for the other gates.
	Drill *Drill
}

// Status is the HTTP status that tells Flagger: it takes everything over 202 for a no.
func (a Answer) Status() int {
	if a.Passed {
		return http.StatusOK
	}
	return http.StatusPreconditionFailed
}

// Pod is one pod of the released service.
type Pod struct {
	Name string
	// Canary tells the canary's pods from the primary's.
	Canary bool
	// Meshed pods have a proxy and with it an Identity.
	Meshed   bool
	Identity string
}

// Peer is a client that called one of the canary's pods, as the pod's proxy saw it.
type Peer struct {
	Pod string
	// Identity is the client's, "" without mutual TLS.
	Identity string
}

// Client is a workload that has to be able to call the service.
type Client struct {
	Name string
	// Identity in the mesh, "" for an unmeshed workload.
	Identity string
}

// Drill counts what probe requests reached. Probes carry a header that only the drill's own rule matches: no user's request
// goes astray.
type Drill struct {
	// Probes were sent each way. Forward of them reached the canary while the drill's rule sent them there; Back of them
	// reached the primary after it was taken away.
	Probes, Forward, Back int
	// Denied tells why probes were answered otherwise, where they were.
	Denied string
}

// Count is a number of requests and how many of them failed for their users.
type Count struct{ Requests, Failed int }

// State is the live state of a run, as far as gates ask for it. A service is a released service by name.
type State interface {
	// Pods are the ready pods of canary and primary, canary first.
	Pods(service string) []Pod
	// Peers are the clients of the canary's pods so far.
	Peers(service string) []Peer
	// Clients must be able to call the service.
	Clients(service string) []Client
	// Admits tells whether a pod's proxy lets a client in, and if not why.
	Admits(pod Pod, c Client) (bool, string)
	// RollbackDrill sends probes to the canary by a rule of their own, and after taking it away to the primary.
	RollbackDrill(service string, probes int) Drill
	// Canary counts what the canary answered within the window before now, of one cohort or ("") of all. Failed counts
	// answers from 400 on and missing ones: what an operator can see, not what the fault truly did.
	Canary(service, cohort string, window time.Duration) Count
	// Approved tells whether a person has said yes.
	Approved() bool
}

// lookback is how far the gates about traffic look back. It is the shortest span over which Prometheus' rate() has enough
// points at a scrape interval of 10 s, so a gate and a metric of the usual 30 s to 1 m see about the same.
const lookback = time.Minute

// drillProbes each way: if one probe in five went astray, 20 would all arrive with a chance of 1 %.
const drillProbes = 20

// Evaluate answers a call about a service.
func Evaluate(s State, service string, call guardrail.GateCall) Answer {
	switch call.Gate {
	case event.GateMTLS:
		return mtls(s, service)
	case event.GatePolicy:
		return policy(s, service)
	case event.GateRollbackDrill:
		return rollbackDrill(s, service)
	case event.GateVolume:
		return volume(s, service, call)
	case event.GateCohort:
		return cohort(s, service, call)
	case event.GateApprove:
		if s.Approved() {
			return yes("approved")
		}
		return no("nobody has approved yet: run with --approve DURATION to say when somebody does")
	case event.GateEvents:
		return yes("taken")
	}
	return no("there is no gate %q", call.Gate)
}

func yes(format string, args ...any) Answer {
	return Answer{Passed: true, Reason: fmt.Sprintf(format, args...)}
}

func no(format string, args ...any) Answer { return Answer{Reason: fmt.Sprintf(format, args...)} }

// mtls asks that each canary pod has an identity of the mesh, and that nobody has called one without.
func mtls(s State, service string) Answer {
	pods := canaries(s.Pods(service))
	if len(pods) == 0 {
		return no("no canary pod of %s is ready: there is nothing to verify", service)
	}
	for _, p := range pods {
		if !p.Meshed || p.Identity == "" {
			return no("pod %s has no proxy, so no identity and no mutual TLS: is linkerd.io/inject disabled?", p.Name)
		}
	}
	peers := s.Peers(service)
	for _, p := range peers {
		if p.Identity == "" {
			return no("a client called pod %s without mutual TLS", p.Pod)
		}
	}
	return yes("%d canary pods have the identity %s; clients so far: %d, all with mutual TLS", len(pods), pods[0].Identity, len(peers))
}

func canaries(pods []Pod) []Pod {
	var cs []Pod
	for _, p := range pods {
		if p.Canary {
			cs = append(cs, p)
		}
	}
	return cs
}

// policy asks that every client of the service is let in by every pod, and a stranger by none.
func policy(s State, service string) Answer {
	pods := s.Pods(service)
	if len(canaries(pods)) == 0 {
		return no("no canary pod of %s is ready: there is nothing to verify", service)
	}
	stranger := Client{Name: "a client without identity"}
	clients := s.Clients(service)
	for _, p := range pods {
		for _, c := range clients {
			if ok, why := s.Admits(p, c); !ok {
				return no("%s pod %s denies %s: %s", role(p), p.Name, c.Name, why)
			}
		}
		if ok, _ := s.Admits(p, stranger); ok {
			return no("%s pod %s lets anybody in: no Server with an AuthorizationPolicy covers it (Flagger's primary has the label app: %s-primary)", role(p), p.Name, service)
		}
	}
	return yes("%d pods let in %d clients and no stranger", len(pods), len(clients))
}

func role(p Pod) string {
	if p.Canary {
		return "canary"
	}
	return "primary"
}

// rollbackDrill rehearses the rollback.
func rollbackDrill(s State, service string) Answer {
	d := s.RollbackDrill(service, drillProbes)
	a := Answer{Drill: &d}
	switch {
	case d.Forward < d.Probes:
		a.Reason = fmt.Sprintf("%d of %d probes reached the canary when the drill's rule sent them there", d.Forward, d.Probes)
	case d.Back < d.Probes:
		a.Reason = fmt.Sprintf("%d of %d probes reached the primary after the rule was taken away", d.Back, d.Probes)
	default:
		a.Passed = true
		a.Reason = fmt.Sprintf("%d probes went to the canary and, the rule taken away, %d to the primary", d.Forward, d.Back)
	}
	if !a.Passed && d.Denied != "" {
		a.Reason += ": " + d.Denied
	}
	return a
}

func volume(s State, service string, call guardrail.GateCall) Answer {
	n := s.Canary(service, "", lookback).Requests
	if n < call.Min {
		return no("the canary answered %d requests in the last %v, fewer than %d: too few to judge it by", n, lookback, call.Min)
	}
	return yes("the canary answered %d requests in the last %v", n, lookback)
}

func cohort(s State, service string, call guardrail.GateCall) Answer {
	c := s.Canary(service, call.Cohort, lookback)
	if c.Requests < max(call.Min, 1) {
		return no("the canary answered %d requests of cohort %s in the last %v, fewer than %d: inconclusive", c.Requests, call.Cohort, lookback, max(call.Min, 1))
	}
	share := 100 * float64(c.Failed) / float64(c.Requests)
	if share > call.MaxError {
		return no("%.2f %% of %d requests of cohort %s failed on the canary, more than %g %%", share, c.Requests, call.Cohort, call.MaxError)
	}
	return yes("%.2f %% of %d requests of cohort %s failed on the canary", share, c.Requests, call.Cohort)
}
