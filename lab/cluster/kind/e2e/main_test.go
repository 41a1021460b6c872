//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
)

// Environment variables of the tests.
const (
	// binaryVariable is the path of coalmine, bundleVariable that of the bundle that testmesh
	// makes.
	binaryVariable = "COALMINE_E2E_BINARY"
	bundleVariable = "COALMINE_E2E_BUNDLE"
	// logsVariable is the folder that gets the logs of flights; without it they are thrown away.
	logsVariable = "COALMINE_E2E_LOGS"
)

// name of the cluster that all tests share, and how long up may take.
const (
	name      = "coalmine-e2e"
	upTimeout = 10 * time.Minute
)

// environment configures e2e-framework; the state of the tests is in its context.
var environment = env.New()

func TestMain(m *testing.M) {
	var left error // the framework only logs errors at the end
	environment.Setup(prepare, bringUp)
	environment.Finish(func(ctx context.Context, c *envconf.Config) (context.Context, error) {
		left = takeDown(ctx)
		if p, ok := ctx.Value(placeKey{}).(*place); ok && len(p.findings) > 0 {
			log.Print(p.findings)
		}
		return ctx, left
	})
	code := environment.Run(m)
	if left != nil {
		log.Printf("FAIL: cleanup: %v", left)
		code = max(code, 1)
	}
	os.Exit(code)
}

// place is where tests find the program and leave files.
type place struct {
	program
	// Docker volumes of the cluster.
	volumes []string
	// network reports whether kind's network existed before: then it must stay.
	network bool
	// findings are what the conformance suite found, to be shown last.
	findings findings
}

// findings are lines of the form check/run: what is wrong.
type findings []string

func (f *findings) add(check, run, finding string) {
	first, _, _ := strings.Cut(finding, "\n") // a difference between two values has more
	*f = append(*f, fmt.Sprintf("%s/%s: %s", check, run, first))
}

func (f findings) String() string {
	return fmt.Sprintf("FAIL: %d findings of the conformance suite:\n  %s", len(f), strings.Join(f, "\n  "))
}

type placeKey struct{}

// at returns the place of a test.
func at(ctx context.Context) *place { return ctx.Value(placeKey{}).(*place) }

// prepare gives the program its own home, so that its leftovers can be found and the user's files
// are not touched.
func prepare(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	binary, bundle := os.Getenv(binaryVariable), os.Getenv(bundleVariable)
	if binary == "" || bundle == "" {
		return ctx, fmt.Errorf("set %s to the program and %s to its bundle, as .ci/run does", binaryVariable,
			bundleVariable)
	}
	home, err := os.MkdirTemp("", "program-home-") // without the cluster's name, which identifies leftovers
	if err != nil {
		return ctx, err
	}
	p := &place{program: program{binary: binary, bundle: bundle, home: home}}
	if p.network, err = networkThere(ctx); err != nil {
		return ctx, err
	}
	for key, value := range p.variables() { // the tests also use the cluster in this process
		if err := os.Setenv(key, value); err != nil {
			return ctx, err
		}
	}
	return context.WithValue(ctx, placeKey{}, p), nil
}

func bringUp(ctx context.Context, c *envconf.Config) (context.Context, error) {
	p := at(ctx)
	if err := p.up(ctx, name); err != nil {
		return ctx, err
	}
	var err error
	if p.volumes, err = volumesOf(ctx, nodeOf(name)); err != nil {
		return ctx, err
	}
	c.WithKubeconfigFile(p.kubeconfig()).WithKubeContext("kind-" + name)
	_, err = c.NewClient()
	return ctx, err
}

func takeDown(ctx context.Context) error {
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok {
		return nil // it never started
	}
	defer os.RemoveAll(p.home)
	result := p.run(ctx, 3*time.Minute, "down", "--name", name)
	return errors.Join(result.failed(0), p.nothingLeft(ctx, name, p.volumes))
}

// nothingLeft checks that down has deleted everything.
func (p *place) nothingLeft(ctx context.Context, cluster string, volumes []string) error {
	var errs []error
	if out, err := docker(ctx, "ps", "-a", "--format", "{{.Names}}", "--filter",
		"label=io.x-k8s.kind.cluster="+cluster); err != nil || out != "" {
		errs = append(errs, fmt.Errorf("containers are left: %q %v", out, err))
	}
	all, err := docker(ctx, "volume", "ls", "-q")
	errs = append(errs, err)
	for _, v := range volumes {
		if slices.Contains(strings.Fields(all), v) {
			errs = append(errs, fmt.Errorf("volume %s is left", v))
		}
	}
	others, err := docker(ctx, "ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster")
	errs = append(errs, err)
	if there, err := networkThere(ctx); err != nil || there && !p.network && others == "" {
		errs = append(errs, fmt.Errorf("no cluster is left, but Docker's network kind is: %v", err))
	}
	if data, err := os.ReadFile(p.kubeconfig()); err == nil && strings.Contains(string(data), "kind-"+cluster) {
		errs = append(errs, fmt.Errorf("%s still names kind-%s", p.kubeconfig(), cluster))
	}
	return errors.Join(append(errs, p.filesLeft(cluster))...)
}

// networkThere reports whether Docker has kind's network, which must stay if something else created
// it.
func networkThere(ctx context.Context) (bool, error) {
	out, err := docker(ctx, "network", "ls", "-q", "--filter", "name=^kind$")
	return out != "", err
}

// filesLeft finds files about a cluster in the program's home and in the system's temporary folder.
func (p *place) filesLeft(cluster string) error {
	var left []string
	err := filepath.WalkDir(p.home, func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.Contains(filepath.Base(path), cluster) {
			left = append(left, path)
		}
		return err
	})
	found, globErr := filepath.Glob(filepath.Join(os.TempDir(), "*"+cluster+"*"))
	if left = append(left, found...); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("files are left: %v", left))
	}
	return errors.Join(err, globErr)
}
