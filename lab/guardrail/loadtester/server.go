// Package loadtester answers webhooks as Flagger's load tester does, and understands the command
// lines of load tests. It runs nothing: a cluster sends what a command line asks for. The package
// has no clock and no network.
//
// Source: flagger, pkg/loadtester and cmd/loadtester.
package loadtester

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Kinds of calls.
const (
	// KindGate is a call of a gate.
	KindGate = "gate"
	// KindLoad is a task that runs in the background: a load test.
	KindLoad = "load test"
	// KindTask is a task whose end the webhook waits for: an acceptance test.
	KindTask = "task"
	// KindOther is a call of another server.
	KindOther = "webhook"
	// kindRefused is a call that the load tester refuses.
	kindRefused = "refused"
)

// Answer is the answer to a call.
type Answer struct {
	Kind   string
	Status int
	Body   string
	// Name is the path of a gate, or the type of a task.
	Name string
	// Command is the command line of a task, and Loads what it sends if it is understood; else Err
	// says why not.
	Command string
	Loads   []Load
	Err     error
}

// Passed reports whether Flagger takes the answer for a yes.
func (a Answer) Passed() bool { return a.Status <= http.StatusAccepted }

// Server is the state of a load tester. The zero value has all gates closed.
type Server struct {
	// gates holds the gates that were opened or closed, by Canary.
	gates map[string]bool
	// Approved reports whether a person has opened the gate of a Canary; nil means nobody has.
	Approved func() bool
}

// payload is the body of Flagger's webhooks.
type payload struct {
	Name, Namespace string
	Metadata        map[string]string
}

// Call answers a call of a load tester.
func (s *Server) Call(path string, body []byte) Answer {
	switch path {
	case "/healthz", "/gate/approve":
		return gate(path, http.StatusOK, "OK")
	case "/metrics":
		return gate(path, http.StatusOK, "")
	case "/gate/halt":
		return gate(path, http.StatusForbidden, "Forbidden")
	}
	var p payload
	if json.Unmarshal(body, &p) != nil {
		return Answer{Kind: kindRefused, Status: http.StatusBadRequest}
	}
	name := p.Name + "." + p.Namespace
	switch path {
	case "/gate/check":
		return s.check(path, name, s.Approved != nil && s.Approved())
	case "/rollback/check":
		return s.check(path, "rollback."+name, false)
	case "/gate/open":
		return s.set(path, name, true)
	case "/gate/close":
		return s.set(path, name, false)
	case "/rollback/open":
		return s.set(path, "rollback."+name, true)
	case "/rollback/close":
		return s.set(path, "rollback."+name, false)
	}
	return Task(p.Metadata)
}

func gate(path string, status int, body string) Answer {
	return Answer{Kind: KindGate, Name: strings.TrimPrefix(path, "/"), Status: status, Body: body}
}

// check answers whether a gate is open. What a webhook did last counts more than the approval.
func (s *Server) check(path, key string, approved bool) Answer {
	open, set := s.gates[key]
	if open || !set && approved {
		return gate(path, http.StatusOK, "Approved")
	}
	return gate(path, http.StatusForbidden, "Forbidden")
}

func (s *Server) set(path, key string, open bool) Answer {
	if s.gates == nil {
		s.gates = map[string]bool{}
	}
	s.gates[key] = open
	return gate(path, http.StatusAccepted, "")
}

// blocking are the types of tasks that a webhook waits for.
func blocking() []string { return []string{"bash", "concord", "helm", "helmv3", "kubectl"} }

// Task answers a call with the metadata of a task.
func Task(metadata map[string]string) Answer {
	if len(metadata) == 0 {
		return Answer{Kind: kindRefused, Status: http.StatusBadRequest, Body: "metadata not found in payload"}
	}
	kind, ok := metadata["type"]
	if !ok {
		kind = "cmd"
	}
	command, hasCommand := metadata["cmd"]
	switch {
	case slices.Contains(blocking(), kind):
		return Answer{Kind: KindTask, Name: kind, Status: http.StatusOK, Command: command}
	case kind == "ngrinder":
		return ngrinder(metadata)
	case kind != "cmd":
		return Answer{Kind: kindRefused, Name: kind, Status: http.StatusBadRequest, Body: "unknown task type " + kind}
	case !hasCommand:
		return Answer{Kind: kindRefused, Name: kind, Status: http.StatusBadRequest, Body: "cmd not found in metadata"}
	}
	a := Answer{Kind: KindLoad, Name: kind, Status: http.StatusAccepted, Command: command}
	a.Loads, a.Err = ParseCommand(command)
	return a
}

func ngrinder(metadata map[string]string) Answer {
	for _, name := range []string{"server", "clone", "username", "passwd"} {
		if metadata[name] == "" {
			return Answer{Kind: kindRefused, Name: "ngrinder", Status: http.StatusBadRequest,
				Body: "server, clone, username and passwd are required metadata"}
		}
	}
	return Answer{Kind: KindTask, Name: "ngrinder", Status: http.StatusAccepted, Command: "clone " + metadata["clone"]}
}

// IsHost reports whether a host is that of a load tester, by its name.
func IsHost(host string) bool {
	host = strings.ToLower(host)
	return strings.Contains(host, "loadtest") || strings.Contains(host, "load-test")
}
