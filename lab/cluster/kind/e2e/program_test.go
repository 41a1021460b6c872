//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is the built coalmine, with its own home.
type program struct {
	binary, bundle, home string
}

// variables returns the environment variables that say where the program may keep files.
func (p program) variables() map[string]string {
	return map[string]string{
		"HOME":            p.home,
		"KUBECONFIG":      p.kubeconfig(),
		"XDG_CACHE_HOME":  filepath.Join(p.home, "cache"),
		"XDG_CONFIG_HOME": filepath.Join(p.home, "config"),
		"XDG_STATE_HOME":  filepath.Join(p.home, "state"),
	}
}

func (p program) kubeconfig() string { return filepath.Join(p.home, ".kube", "config") }

// result is the result of one execution of the program.
type result struct {
	args     []string
	code     int
	out, err string
	took     time.Duration
}

// failed returns an error unless the exit code is the wanted one.
func (r result) failed(want int) error {
	if r.code == want {
		return nil
	}
	return fmt.Errorf("coalmine %s: exit code %d, want %d:\n%s%s", strings.Join(r.args, " "), r.code, want, r.out,
		r.err)
}

// run executes the program. Its standard error, such as progress, is shown live.
func (p program) run(ctx context.Context, timeout time.Duration, args ...string) result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return p.start(ctx, args...).wait()
}

// running is a running program.
type running struct {
	cmd      *exec.Cmd
	args     []string
	out, err bytes.Buffer
	begin    time.Time
	failed   error
}

func (p program) start(ctx context.Context, args ...string) *running {
	r := &running{cmd: exec.CommandContext(ctx, p.binary, args...), args: args, begin: time.Now()}
	r.cmd.Dir = p.home
	r.cmd.Env = os.Environ()
	r.cmd.Stdout, r.cmd.Stderr = &r.out, io.MultiWriter(&r.err, os.Stderr)
	r.cmd.Cancel = func() error { return r.cmd.Process.Signal(os.Interrupt) }
	r.cmd.WaitDelay = time.Minute
	fmt.Fprintf(os.Stderr, "$ coalmine %s\n", strings.Join(args, " "))
	r.failed = r.cmd.Start()
	return r
}

// wait waits until the program ends.
func (r *running) wait() result {
	err := r.failed
	if err == nil {
		err = r.cmd.Wait()
	}
	code := r.cmd.ProcessState.ExitCode() // -1 if it never started or was killed
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(&r.err, err)
	}
	return result{r.args, code, r.out.String(), r.err.String(), time.Since(r.begin)}
}

// up runs up on a cluster, from where an earlier one stopped.
func (p program) up(ctx context.Context, cluster string) error {
	return p.run(ctx, upTimeout+time.Minute, p.upArgs(cluster)...).failed(0)
}

func (p program) upArgs(cluster string) []string {
	return []string{"up", "--bundle", p.bundle, "--name", cluster, "--timeout", upTimeout.String()}
}

// docker runs Docker's client and returns its output.
func docker(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// nodeOf returns the container of the only node of a kind cluster.
func nodeOf(cluster string) string { return cluster + "-control-plane" }

// volumesOf returns the volumes of a container.
func volumesOf(ctx context.Context, container string) ([]string, error) {
	out, err := docker(ctx, "inspect", "--format", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`,
		container)
	return strings.Fields(out), err
}
