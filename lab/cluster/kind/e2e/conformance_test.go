//go:build e2e

package e2e

import (
	"context"
	"os"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"coalmine/lab/cluster/kind"
	"coalmine/lab/run/conformance"
)

// cluster connects to the shared cluster, as runs do.
func cluster(ctx context.Context, t *testing.T) *kind.Cluster {
	t.Helper()
	c, err := kind.New(ctx, kind.Options{Name: name, TrafficPods: 2, Version: "e2e"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	f := features.New("the real cluster").Assess("passes the conformance suite",
		func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
			conformance.Run(t, cluster(ctx, t), conformance.Options{Tolerance: conformance.Real(), Logs: logs(t),
				Failed: at(ctx).findings.add})
			return ctx
		})
	environment.Test(t, f.Feature())
}

// logs returns the folder for the logs of runs.
func logs(t *testing.T) string {
	dir := os.Getenv(logsVariable)
	if dir == "" {
		return t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
