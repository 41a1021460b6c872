//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// These tests inspect the cluster with status and check. They come first, because what follows
// disturbs it.

func TestStatus(t *testing.T) {
	f := features.New("coalmine status").Assess("reports that the cluster is ready, and its memory use",
		func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
			r := at(ctx).run(ctx, time.Minute, "status", "--name", name)
			if err := r.failed(0); err != nil {
				t.Fatal(err)
			}
			t.Logf("in %v:\n%s", r.took, r.out)
			for _, want := range []string{name, "testmesh", "iB"} {
				if !strings.Contains(r.out, want) {
					t.Errorf("status does not say %q:\n%s", want, r.out)
				}
			}
			return ctx
		}).Assess("reports that another cluster does not exist", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		r := at(ctx).run(ctx, time.Minute, "status", "--name", "coalmine-e2e-none")
		if r.code == 0 && !strings.Contains(r.out+r.err, "no ") {
			t.Errorf("status of a cluster that is not there:\n%s%s", r.out, r.err)
		}
		return ctx
	})
	environment.Test(t, f.Feature())
}

func TestCheck(t *testing.T) {
	f := features.New("coalmine check").Assess("passes",
		func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
			r := at(ctx).run(ctx, 2*time.Minute, "check", "--name", name)
			t.Logf("in %v:\n%s", r.took, r.out)
			if err := r.failed(0); err != nil {
				t.Error(err)
			}
			return ctx
		}).Assess("prints the same as JSON", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		r := at(ctx).run(ctx, 2*time.Minute, "check", "--name", name, "--json")
		var report any
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 {
			t.Errorf("exit code %d, %v:\n%s%s", r.code, err, r.out, r.err)
		}
		if !strings.Contains(r.out, `"api-answers"`) {
			t.Errorf("no check api-answers:\n%s", r.out)
		}
		return ctx
	})
	environment.Test(t, f.Feature())
}
