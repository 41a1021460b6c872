package kindcluster

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	kindexec "sigs.k8s.io/kind/pkg/exec"
)

// Kind of a problem.
type Kind string

// Kinds of problems.
const (
	NoDocker     Kind = "no docker"     // there is no docker command
	NoDaemon     Kind = "no daemon"     // it reaches no daemon
	NoPermission Kind = "no rights"     // the daemon is not for this user
	LowMemory    Kind = "little memory" // less than MinMemory
	PortInUse    Kind = "port taken"    // by another program
	NoSpace      Kind = "no space"      // on the daemon's disk
	NoImage      Kind = "no image"      // the node image can be had from nowhere
	NotManaged   Kind = "not ours"      // the cluster is another's
	NotReady     Kind = "not ready"     // Kubernetes does not come up
	Busy         Kind = "busy"          // another coalmine is at work on the cluster
	Kubeconfig   Kind = "kubeconfig"    // the user's kubeconfig cannot be changed
	Other        Kind = "other"         // what docker says, stands in the error
)

// Problem is what keeps a cluster from being made, and what to do about it.
type Problem struct {
	Kind Kind
	Err  error
	hint string
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Hint says what to do; "" where only the error can tell.
func (p *Problem) Hint() string { return p.hint }

// problemOf finds a problem in an error; nil if there is none.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}

// pattern is how a problem is told from what the docker command and its daemon print.
type pattern struct {
	texts   []string // any of them, in small letters
	kind    Kind
	message string // for people; "" for what docker says
	hint    string
}

// patterns are looked for in this order: a socket without rights is a daemon that is not reached, too. The texts are those of
// client/errors.go and daemon/libnetwork of github.com/moby/moby.
func patterns() []pattern {
	return []pattern{
		{[]string{"executable file not found"}, NoDocker, "there is no docker command",
			"install Docker, version 20.10 or later (https://docs.docker.com/engine/install), and see that docker is on the PATH"},
		{[]string{"permission denied while trying to connect", "connect: permission denied"}, NoPermission,
			"the Docker daemon refuses this user: permission denied",
			"add yourself to Docker's group (sudo usermod -aG docker $USER, then log in anew), or run as root"},
		{[]string{"cannot connect to the docker daemon", "is the docker daemon running", "error during connect",
			"failed to connect to the docker api"}, NoDaemon, "the Docker daemon does not answer",
			"start Docker (systemctl start docker, or Docker Desktop), and see that `docker info` works; DOCKER_HOST and `docker context` " +
				"say which daemon is asked"},
		{[]string{"port is already allocated", "address already in use", "ports are not available"}, PortInUse, "",
			"end what listens on that port (ss -ltnp shows it), then run the same command again"},
		{[]string{"no space left on device"}, NoSpace, "", "make room on Docker's disk: docker system df shows what is on it"},
	}
}

// classify makes a problem of an error of the docker command, ours or kind's.
func classify(err error) error {
	if err == nil || problemOf(err) != nil {
		return err
	}
	said := err.Error()
	if run := kindexec.RunErrorForError(err); run != nil {
		said = strings.TrimSpace(string(run.Output))
		err = fmt.Errorf("%s: %w", shortCommand(run.Command), run.Inner)
		if said != "" {
			err = fmt.Errorf("%s: %s", shortCommand(run.Command), lastLine(said))
		}
		if errors.Is(run.Inner, exec.ErrNotFound) {
			said = run.Inner.Error()
		}
	}
	return newProblem(strings.ToLower(said), err)
}

// newProblem tells the kind by what was said, in small letters.
func newProblem(said string, err error) *Problem {
	for _, s := range patterns() {
		for _, text := range s.texts {
			if !strings.Contains(said, text) {
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

// shortCommand shortens a command line to what tells one from another.
func shortCommand(args []string) string {
	const enough = 4
	if len(args) > enough {
		return strings.Join(args[:enough], " ") + " …"
	}
	return strings.Join(args, " ")
}

// lastLine is the last line that says something: docker's advice how to get help is none.
func lastLine(text string) string {
	line := ""
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "See 'docker") && !strings.HasPrefix(l, "Run 'docker") {
			line = l
		}
	}
	return line
}
