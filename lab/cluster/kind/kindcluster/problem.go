package kindcluster

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	kindexec "sigs.k8s.io/kind/pkg/exec"
)

// Kind classifies a problem.
type Kind string

// Kinds of problems.
const (
	NoDocker     Kind = "no docker"     // no docker command
	NoDaemon     Kind = "no daemon"     // the command does not reach a daemon
	NoPermission Kind = "no permission" // the daemon refuses this user
	LowMemory    Kind = "low memory"    // less than MinMemory
	PortInUse    Kind = "port in use"   // by another program
	NoSpace      Kind = "no space"      // on the daemon's disk
	NoImage      Kind = "no image"      // the node image is not available
	NotManaged   Kind = "not managed"   // coalmine did not create the cluster
	NotReady     Kind = "not ready"     // Kubernetes does not become ready
	Busy         Kind = "busy"          // another coalmine is working on the cluster
	Kubeconfig   Kind = "kubeconfig"    // the user's kubeconfig cannot be changed
	Other        Kind = "other"         // the error has Docker's own words
)

// Problem is what prevents a cluster from being created, with advice.
type Problem struct {
	Kind Kind
	Err  error
	hint string
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Hint says what to do, or returns "" if the error says it.
func (p *Problem) Hint() string { return p.hint }

// problemOf returns the problem in an error, or nil if there is none.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}

// pattern recognizes a problem in the output of the docker command and its daemon.
type pattern struct {
	texts   []string // any of them, in lower case
	kind    Kind
	message string // for the user; "" for Docker's own words
	hint    string
}

// patterns are tried in order: a socket without permission also counts as an unreachable daemon.
// The texts are from client/errors.go and daemon/libnetwork of github.com/moby/moby.
func patterns() []pattern {
	return []pattern{
		{[]string{"executable file not found"}, NoDocker, "there is no docker command",
			"install Docker, version 20.10 or later (https://docs.docker.com/engine/install), and check that docker " +
				"is on the PATH"},
		{[]string{"permission denied while trying to connect", "connect: permission denied"}, NoPermission,
			"the Docker daemon refuses this user: permission denied",
			"add yourself to Docker's group (sudo usermod -aG docker $USER, then log in again), or run as root"},
		{[]string{"cannot connect to the docker daemon", "is the docker daemon running", "error during connect",
			"failed to connect to the docker api"}, NoDaemon, "the Docker daemon does not respond",
			"start Docker (systemctl start docker, or Docker Desktop) and check that `docker info` works; " +
				"DOCKER_HOST and `docker context` select the daemon"},
		{[]string{"port is already allocated", "address already in use", "ports are not available"}, PortInUse, "",
			"stop what listens on that port (ss -ltnp shows it), then run the same command again"},
		{[]string{"no space left on device"}, NoSpace, "",
			"free space on Docker's disk: docker system df shows what uses it"},
	}
}

// classify turns an error of the docker command, run by coalmine or by kind, into a problem.
func classify(err error) error {
	if err == nil || problemOf(err) != nil {
		return err
	}
	output := err.Error()
	if run := kindexec.RunErrorForError(err); run != nil {
		output = strings.TrimSpace(string(run.Output))
		err = fmt.Errorf("%s: %w", shortCommand(run.Command), run.Inner)
		if output != "" {
			err = fmt.Errorf("%s: %s", shortCommand(run.Command), lastLine(output))
		}
		if errors.Is(run.Inner, exec.ErrNotFound) {
			output = run.Inner.Error()
		}
	}
	return newProblem(strings.ToLower(output), err)
}

// newProblem classifies a problem by the output in lower case.
func newProblem(output string, err error) *Problem {
	for _, s := range patterns() {
		for _, text := range s.texts {
			if !strings.Contains(output, text) {
				continue
			}
			if s.message != "" {
				err = errors.New(s.message)
			}
			return &Problem{s.kind, err, s.hint}
		}
	}
	return &Problem{Kind: Other, Err: err}
}

// shortCommand shortens a command line to its first words.
func shortCommand(args []string) string {
	const max = 4
	if len(args) > max {
		return strings.Join(args[:max], " ") + " …"
	}
	return strings.Join(args, " ")
}

// lastLine returns the last line with content. Docker's advice on how to get help is skipped.
func lastLine(text string) string {
	line := ""
	for l := range strings.SplitSeq(text, "\n") {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "See 'docker") && !strings.HasPrefix(l, "Run 'docker") {
			line = l
		}
	}
	return line
}
