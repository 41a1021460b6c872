package kindcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodes"
	kindexec "sigs.k8s.io/kind/pkg/exec"
)

// MinMemory is the least memory of Docker's machine, in bytes, that a cluster comes up with:
// Kubernetes alone takes about 1 GiB, and the mesh, Flagger, Prometheus and two versions of the
// demo services as much again.
const MinMemory = 3 << 30

// Engine describes the Docker daemon.
type Engine struct {
	Version       string // of the daemon
	CgroupVersion string // "1" or "2"
	Memory        int64  // of its machine, bytes
	CPUs          int
}

// Docker queries the daemon. Errors are of type [*Problem].
func Docker(ctx context.Context) (Engine, error) {
	out, err := docker(ctx, "info", "--format", "{{json .}}")
	if err != nil {
		return Engine{}, err
	}
	var info struct {
		ServerVersion, CgroupVersion string
		MemTotal                     int64
		NCPU                         int
		ServerErrors                 []string
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		return Engine{}, fmt.Errorf("read docker info: %w", err)
	}
	// Some versions of the docker command succeed without a daemon and report that in the output.
	if len(info.ServerErrors) > 0 {
		text := strings.Join(info.ServerErrors, "; ")
		return Engine{}, newProblem(strings.ToLower(text), errors.New(text))
	}
	return Engine{info.ServerVersion, info.CgroupVersion, info.MemTotal, info.NCPU}, nil
}

// CheckMemory returns an error if the engine has too little memory for a cluster.
func (e Engine) CheckMemory() error {
	if e.Memory >= MinMemory {
		return nil
	}
	const giga = 1 << 30
	return &Problem{LowMemory, fmt.Errorf("Docker has %.1f GiB of memory, and a cluster needs %.1f",
		float64(e.Memory)/giga, float64(MinMemory)/giga),
		"give Docker's machine more memory (Docker Desktop: Settings, Resources), or use another machine"}
}

// docker runs a docker command and returns its output.
func docker(ctx context.Context, args ...string) (string, error) {
	return dockerInput(ctx, nil, args...)
}

// dockerInput is like docker, with standard input.
func dockerInput(ctx context.Context, in io.Reader, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	}
	return "", classify(&kindexec.RunError{Command: cmd.Args, Output: errs.Bytes(), Inner: err})
}

// ctxNode is a node whose commands end with a context: kind's helpers do not take one.
type ctxNode struct {
	nodes.Node
	ctx context.Context
}

func (b ctxNode) Command(command string, args ...string) kindexec.Cmd {
	return b.CommandContext(b.ctx, command, args...)
}
