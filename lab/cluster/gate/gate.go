// Package gate evaluates the lab's gates: whether they pass for the live state of a run, and why.
// Canary webhooks call gates by HTTP. The package depends on neither the transport nor the cluster.
package gate

import (
	"fmt"
	"net/http"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// Answer is the answer of a gate.
type Answer struct {
	Passed bool
	// Reason says why; after a refusal, also what to look at.
	Reason string
	// Late is set if the gate could not judge because clients' proxies do not know the canary yet.
	Late bool
	// Drill is the result of a rollback drill; nil for the other gates.
	Drill *Drill
	// Err is set if the gate could not be evaluated. The answer is no, and the lab is at fault.
	Err error
}

// Status returns the HTTP status of the answer. Flagger treats a status above 202 as a failed
// check.
func (a Answer) Status() int {
	if a.Passed {
		return http.StatusOK
	}
	return http.StatusPreconditionFailed
}

// Pod is one pod of the released service.
type Pod struct {
	Name string
	// Canary is true for a pod of the canary, false for one of the primary.
	Canary bool
	// Meshed is true if the pod has a proxy.
	Meshed bool
	// Identity in the mesh, "" without a proxy.
	Identity string
	// CertificateLeft is for how long the certificate of the pod's proxy is still valid, and
	// CertificateLife for how long the mesh issues certificates; 0 and 0 if not known.
	CertificateLeft, CertificateLife time.Duration
}

// certificateEnds reports whether the pod's certificate ends before long: proxies get a new one when
// three tenths of its life are left (linkerd2-proxy, linkerd/proxy/identity-client/src/certify.rs), so
// a fifth means that it was not issued.
func (p Pod) certificateEnds() bool { return p.CertificateLeft < p.CertificateLife/5 }

// Peer is a client that has called one of the canary's pods, as observed by the pod's proxy.
type Peer struct {
	Pod string
	// Identity of the client, "" without mutual TLS.
	Identity string
}

// Client is a workload that calls the service.
type Client struct {
	// Name is the name of the workload, "" for a stranger: one that the scenario does not have.
	Name string
	// Identity in the mesh, "" for an unmeshed workload.
	Identity string
}

// strangers returns clients that no policy needs to admit: one outside of the mesh, and meshed ones
// in the services' namespace and in another.
func strangers() []Client {
	return []Client{
		{}, {Identity: mesh.Identity("nobody", scenario.Namespace)}, {Identity: mesh.Identity("nobody", "nowhere")},
	}
}

// String returns the client's name, or describes a stranger.
func (c Client) String() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Identity != "":
		return "the stranger " + c.Identity
	}
	return "a client without identity"
}

// Drill is the result of a rollback drill. Its probes carry a header that only the drill's own rule
// matches, so users' requests are not affected.
type Drill struct {
	// Probes is the number of probes that were sent each way. Forward of them reached the canary
	// while the drill's rule was in place; Back of them reached the primary after it was removed.
	Probes, Forward, Back int
	// Denied says why probes were not served, or is "".
	Denied string
	// Waited is how long the drill waited until the proxies of all clients knew the canary. Late is a
	// client whose proxy did not by the end of the webhook's time, or "".
	Waited time.Duration
	Late   string
}

// Count is a number of requests and of failures among them.
type Count struct{ Requests, Failed int }

// State is the part of a run's live state that gates evaluate. The service parameters are the name
// of the released service. An error means that the lab could not find out.
type State interface {
	// Pods returns the ready pods of canary and primary, canary first.
	Pods(service string) ([]Pod, error)
	// Peers returns the clients that have called the canary's pods so far.
	Peers(service string) ([]Peer, error)
	// Clients returns the clients that must be able to call the service.
	Clients(service string) []Client
	// Admits reports whether a pod admits a client, and if not, why. A pod without a proxy admits
	// every client.
	Admits(pod Pod, c Client) (bool, string, error)
	// RollbackDrill sends probes by a rule that routes them to the canary, and again after removing
	// it.
	RollbackDrill(service string, probes int) (Drill, error)
	// Canary counts the canary's requests of one cohort, or of all if cohort is "", within the
	// window before now. Failed counts answers with status 400 or above and missing ones: what an
	// operator can observe, not the ground truth of the fault.
	Canary(service, cohort string, window time.Duration) Count
	// Approved reports whether the release has been approved.
	Approved() bool
}

// lookback is the range of the gates about traffic. It is comparable to that of metrics with the
// usual range of 30 s to 1 m at a scrape interval of 10 s.
const lookback = time.Minute

// drillProbes is the number of probes each way: if one probe in five is misrouted, the chance that
// all 20 arrive is 1 %.
const drillProbes = 20

// Evaluate evaluates a gate call for a service.
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
		return no("not approved yet: use --approve DURATION to set the time of the approval")
	case event.GateEvents:
		return yes("received")
	}
	return no("there is no gate %q", call.Gate)
}

func yes(format string, args ...any) Answer {
	return Answer{Passed: true, Reason: fmt.Sprintf(format, args...)}
}

func no(format string, args ...any) Answer { return Answer{Reason: fmt.Sprintf(format, args...)} }

// unknown is the answer of a gate that could not be evaluated.
func unknown(err error) Answer {
	return Answer{Err: err, Reason: "the lab could not find out: " + err.Error()}
}

// mtls checks that each canary pod has a mesh identity and that no client has called one without.
func mtls(s State, service string) Answer {
	list, err := s.Pods(service)
	if err != nil {
		return unknown(err)
	}
	pods := canaries(list)
	if len(pods) == 0 {
		return no("no canary pod of %s is ready: nothing to verify", service)
	}
	for _, p := range pods {
		if !p.Meshed || p.Identity == "" {
			return no("pod %s has no proxy, and so no identity and no mutual TLS: "+
				"is linkerd.io/inject disabled?", p.Name)
		}
	}
	for _, p := range list {
		if p.certificateEnds() {
			return no("the certificate of the %s pod %s ends in %v, although the mesh issues certificates for %v: "+
				"its issuer ends then, or issues none; no pod can start after that, and no connection be made",
				role(p), p.Name, p.CertificateLeft.Round(time.Second), p.CertificateLife)
		}
	}
	peers, err := s.Peers(service)
	if err != nil {
		return unknown(err)
	}
	for _, p := range peers {
		if p.Identity == "" {
			return no("a client called pod %s without mutual TLS", p.Pod)
		}
	}
	return yes("%d canary pods have the identity %s; clients so far: %d, all with mutual TLS",
		len(pods), pods[0].Identity, len(peers))
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

// policy checks that every pod admits every client of the service, and no stranger.
func policy(s State, service string) Answer {
	pods, err := s.Pods(service)
	if err != nil {
		return unknown(err)
	}
	if len(canaries(pods)) == 0 {
		return no("no canary pod of %s is ready: nothing to verify", service)
	}
	clients := s.Clients(service)
	for _, p := range pods {
		if !p.Meshed {
			return no("%s pod %s has no proxy and admits any client: is linkerd.io/inject disabled?", role(p), p.Name)
		}
		for _, c := range clients {
			switch ok, why, err := s.Admits(p, c); {
			case err != nil:
				return unknown(err)
			case !ok:
				return no("%s pod %s denies %v: %s", role(p), p.Name, c, why)
			}
		}
		for _, c := range strangers() {
			switch ok, _, err := s.Admits(p, c); {
			case err != nil:
				return unknown(err)
			case ok:
				return no("%s pod %s admits %v: %s", role(p), p.Name, c, openDoor(c, service))
			}
		}
	}
	return yes("%d pods admit %d clients and no stranger", len(pods), len(clients))
}

// openDoor says what to look at when a pod admits a stranger.
func openDoor(c Client, service string) string {
	if c.Identity != "" {
		return "name the identities of the service's clients in the policy, without *"
	}
	return "no Server with an AuthorizationPolicy covers it (Flagger's primary has the label app: " +
		service + "-primary)"
}

func role(p Pod) string {
	if p.Canary {
		return "canary"
	}
	return "primary"
}

// rollbackDrill runs a rollback drill.
func rollbackDrill(s State, service string) Answer {
	d, err := s.RollbackDrill(service, drillProbes)
	if err != nil {
		a := unknown(err)
		a.Drill = &d
		return a
	}
	a := Answer{Drill: &d}
	switch {
	case d.Late != "":
		a.Late = true
		a.Reason = fmt.Sprintf("the proxy of %s did not know the canary yet after %v, which may take a minute: "+
			"set the webhook's timeout to 90s", d.Late, d.Waited)
		return a
	case d.Forward < d.Probes:
		a.Reason = fmt.Sprintf("%d of %d probes reached the canary while the drill's rule routed them there",
			d.Forward, d.Probes)
	case d.Back < d.Probes:
		a.Reason = fmt.Sprintf("%d of %d probes reached the primary after the rule was removed", d.Back, d.Probes)
	default:
		a.Passed = true
		a.Reason = fmt.Sprintf("%d probes reached the canary, and %d the primary after the rule was removed",
			d.Forward, d.Back)
	}
	if d.Waited > 0 {
		a.Reason += fmt.Sprintf(", after %v until the clients' proxies knew the canary", d.Waited)
	}
	if !a.Passed && d.Denied != "" {
		a.Reason += ": " + d.Denied
	}
	return a
}

func volume(s State, service string, call guardrail.GateCall) Answer {
	n := s.Canary(service, "", lookback).Requests
	if n < call.Min {
		return no("the canary answered %d requests in the last %v, fewer than %d: too few to judge%s",
			n, lookback, call.Min, sinceFirst(s, service, "", n))
	}
	return yes("the canary answered %d requests in the last %v", n, lookback)
}

// sinceFirst says how long ago the first of a few requests was. Clients' proxies may meet a canary up to
// a minute late, and the next call of the gate sees more of them.
func sinceFirst(s State, service, cohort string, requests int) string {
	ago := time.Second
	for requests > 0 && ago < lookback && s.Canary(service, cohort, ago).Requests < requests {
		ago += time.Second
	}
	if requests == 0 || ago == lookback {
		return ""
	}
	return fmt.Sprintf("; the first came %v ago", ago)
}

func cohort(s State, service string, call guardrail.GateCall) Answer {
	c := s.Canary(service, call.Cohort, lookback)
	if c.Requests < max(call.Min, 1) {
		return no("the canary answered %d requests of cohort %s in the last %v, fewer than %d: inconclusive%s",
			c.Requests, call.Cohort, lookback, max(call.Min, 1), sinceFirst(s, service, call.Cohort, c.Requests))
	}
	share := 100 * float64(c.Failed) / float64(c.Requests)
	if share > call.MaxError {
		return no("%.2f %% of %d requests of cohort %s failed on the canary, more than %g %%",
			share, c.Requests, call.Cohort, call.MaxError)
	}
	return yes("%.2f %% of %d requests of cohort %s failed on the canary", share, c.Requests, call.Cohort)
}
