package kindcluster_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"coalmine/lab/cluster/kind/kindcluster"
)

func wantProblem(t *testing.T, err error, kind kindcluster.Kind) *kindcluster.Problem {
	t.Helper()
	var p *kindcluster.Problem
	if !errors.As(err, &p) || p.Kind != kind {
		t.Fatalf("error %v (%T), want a problem of kind %q", err, err, kind)
	}
	if p.Hint() == "" && kind != kindcluster.Other {
		t.Errorf("%q has no hint", kind)
	}
	return p
}

// TestDockerProblems has the literal output of Docker's command and daemon, by version.
func TestDockerProblems(t *testing.T) {
	for _, c := range []struct {
		name, output string
		want         kindcluster.Kind
	}{
		{"no permission, 20.10", "Got permission denied while trying to connect to the Docker daemon socket at " +
			"unix:///var/run/docker.sock: " +
			`Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/info": dial unix /var/run/docker.sock: connect: permission denied`,
			kindcluster.NoPermission},
		{"no permission, 29", "permission denied while trying to connect to the docker API at " +
			"unix:///var/run/docker.sock",
			kindcluster.NoPermission},
		{"no daemon, 20.10", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker " +
			"daemon running?", kindcluster.NoDaemon},
		{"no daemon, 29", "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is " +
			"correct and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory",
			kindcluster.NoDaemon},
		{"no daemon, Windows", "error during connect: this error may indicate that the docker daemon is not running",
			kindcluster.NoDaemon},
		{"something else", "Error response from daemon: something new", kindcluster.Other},
	} {
		t.Run(c.name, func(t *testing.T) {
			newWorld(t, world{Fails: map[string]string{"info": c.output, "ps": c.output}})
			_, err := kindcluster.Docker(t.Context())
			wantProblem(t, err, c.want)
			_, err = kindcluster.New("lab").State(t.Context())
			wantProblem(t, err, c.want)
			_, err = kindcluster.New("lab").Delete(t.Context())
			wantProblem(t, err, c.want)
		})
	}
}

func TestNoDockerCommand(t *testing.T) {
	newWorld(t, world{})
	t.Setenv("PATH", t.TempDir())
	_, err := kindcluster.New("lab").State(t.Context())
	wantProblem(t, err, kindcluster.NoDocker)
}

// TestDaemonMissingInOutput covers docker info of versions that succeed with --format.
func TestDaemonMissingInOutput(t *testing.T) {
	newWorld(t,
		world{Info: `{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"]}`})
	_, err := kindcluster.Docker(t.Context())
	wantProblem(t, err, kindcluster.NoDaemon)
}

func TestLowMemory(t *testing.T) {
	w := newWorld(t, world{Info: `{"CgroupVersion":"2","MemTotal":2147483648}`})
	p := wantProblem(t, kindcluster.New("lab").Ensure(t.Context(), kindcluster.Image{}, t.Logf), kindcluster.LowMemory)
	if want := "Docker has 2.0 GiB of memory, and a cluster needs 3.0"; p.Error() != want {
		t.Errorf("error %q, want %q", p, want)
	}
	if got := w.read(); len(got.Containers)+len(got.Networks) > 0 {
		t.Errorf("created %+v, networks %v", got.Containers, got.Networks)
	}
}

// TestProblemsOfCreation goes through kind, which hides Docker's output in its errors.
func TestProblemsOfCreation(t *testing.T) {
	for _, c := range []struct {
		output string
		want   kindcluster.Kind
	}{
		{"docker: Error response from daemon: driver failed programming external connectivity on endpoint " +
			"lab-control-plane: Bind for 127.0.0.1:6443 failed: port is already allocated.", kindcluster.PortInUse},
		{"docker: Error response from daemon: failed to set up container networking: listen tcp4 127.0.0.1:6443: " +
			"bind: address already in use",
			kindcluster.PortInUse},
		{"docker: Error response from daemon: mkdir /var/lib/docker/overlay2/x: no space left on device.",
			kindcluster.NoSpace},
	} {
		t.Run(string(c.want), func(t *testing.T) {
			newWorld(t, world{Images: []string{"node:v1"}, Fails: map[string]string{"run": c.output}})
			p := wantProblem(t, kindcluster.New("lab").Ensure(t.Context(), kindcluster.Image{Ref: "node:v1"}, t.Logf),
				c.want)
			if !strings.Contains(p.Error(), c.output[len("docker: "):]) {
				t.Errorf("error %q does not contain Docker's output", p)
			}
		})
	}
}

// archive is a docker archive that fails before its end.
type archive struct{ io.Reader }

func (a archive) Open(context.Context) (io.ReadCloser, error) { return a, nil }
func (a archive) Close() error {
	return errors.New("the bundle's bytes are not what they were")
}

func TestNodeImage(t *testing.T) {
	t.Run("is pulled", func(t *testing.T) {
		w := newWorld(t, world{Fails: map[string]string{"pull": "Error response from daemon: Get " +
			"\"https://registry-1.docker.io/v2/\": no such host"}})
		wantProblem(t, kindcluster.New("lab").Ensure(t.Context(), kindcluster.Image{Ref: "node:v1"}, t.Logf),
			kindcluster.NoImage)
		if got := w.read(); len(got.Containers) > 0 {
			t.Errorf("created %+v without an image", got.Containers)
		}
	})
	t.Run("is loaded", func(t *testing.T) {
		w := newWorld(t, world{})
		err := kindcluster.New("lab").Ensure(t.Context(),
			kindcluster.Image{Ref: "node:v1", Archive: archive{strings.NewReader("tar")}}, t.Logf)
		if err == nil || err.Error() != "the bundle's bytes are not what they were" {
			t.Errorf("error %v, want the archive's", err)
		}
		if got := w.read(); len(got.Containers) > 0 || !slices.Contains(got.Log, "load --quiet") {
			t.Errorf("created %+v from a broken image; ran %q", got.Containers, got.Log)
		}
	})
}
