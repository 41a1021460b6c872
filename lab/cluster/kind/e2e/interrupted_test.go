//go:build e2e

package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// half is the cluster whose up is interrupted.
const half = "coalmine-e2e-half"

// exitInterrupted is the exit code after an interruption.
const exitInterrupted = 5

func TestInterruptedUp(t *testing.T) {
	f := features.New("an incomplete cluster after an interrupted up").
		Assess("is deleted by down", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
			interrupt(ctx, t)
			remove(ctx, t)
			return ctx
		}).
		Assess("is completed by another up", func(ctx context.Context, t *testing.T,
			_ *envconf.Config) context.Context {
			interrupt(ctx, t)
			if err := at(ctx).up(ctx, half); err != nil {
				t.Error(err)
			}
			if err := at(ctx).run(ctx, time.Minute, "status", "--name", half).failed(0); err != nil {
				t.Error(err)
			}
			remove(ctx, t)
			return ctx
		})
	environment.Test(t, f.Feature())
}

// interrupt stops an up with SIGINT when the cluster's step is done: kind adds the cluster to the
// kubeconfig at its end.
func interrupt(ctx context.Context, t *testing.T) {
	p := at(ctx)
	t.Cleanup(func() { p.run(context.WithoutCancel(ctx), 3*time.Minute, "down", "--name", half) })
	up := p.start(ctx, p.upArgs(half)...)
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, upTimeout, true,
		func(context.Context) (bool, error) {
			data, err := os.ReadFile(p.kubeconfig())
			return err == nil && strings.Contains(string(data), "kind-"+half), nil
		})
	if err != nil {
		t.Errorf("the cluster's step never ended: %v", err)
	}
	if err := up.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("up ended before it was interrupted: %v", err)
	}
	if err := up.wait().failed(exitInterrupted); err != nil {
		t.Error(err)
	}
}

func remove(ctx context.Context, t *testing.T) {
	p := at(ctx)
	volumes, err := volumesOf(ctx, nodeOf(half))
	if err != nil {
		t.Error(err)
	}
	if err := p.run(ctx, 3*time.Minute, "down", "--name", half).failed(0); err != nil {
		t.Error(err)
	}
	if err := p.nothingLeft(ctx, half, volumes); err != nil {
		t.Error(err)
	}
}
