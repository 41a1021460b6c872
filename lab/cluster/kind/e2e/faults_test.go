//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	labplace "coalmine/lab/cluster/names"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/conformance"
)

// disturbance is a disturbance of the cluster during a run, and the verdicts it allows. One more is
// in exit_test.go.
type disturbance struct {
	name string
	// when reports, given the newest event, whether it is time; inflict disturbs the cluster and
	// returns when it is over.
	when    func(event.Event) bool
	inflict func(context.Context, kubernetes.Interface) error
	// allowed lists the allowed verdicts (see conformance.Verdict). The version is healthy, so
	// rolled-back is never allowed.
	allowed []string
}

const promoted = "promoted"

// disturbances returns them in order of how much they leave to repair.
func disturbances() []disturbance {
	return []disturbance{
		{"the API server is unreachable for 20 s", weight(20), stopAPIServer,
			[]string{promoted, event.OutcomeLabFault}},
		{"Prometheus is killed", weight(20), killPrometheus, []string{promoted, event.OutcomeLabFault}},
		{"the node is restarted", weight(20), restartNode, []string{event.OutcomeLabFault}},
	}
}

// weight triggers when the canary gets a weight.
func weight(percent int) func(event.Event) bool {
	return func(e event.Event) bool {
		c, ok := e.Fact.(event.Canary)
		return ok && c.Weight >= percent
	}
}

func TestFaults(t *testing.T) {
	for _, b := range disturbances() {
		f := features.New(b.name).Assess("ends with an allowed verdict",
			func(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
				disturbed(ctx, t, c, b)
				return ctx
			}).Teardown(func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
			if err := at(ctx).up(ctx, name); err != nil {
				t.Errorf("the cluster was not repaired: %v", err)
			}
			return ctx
		})
		environment.Test(t, f.Feature())
	}
}

// disturbed plays a healthy version, disturbs it, and checks the log.
func disturbed(ctx context.Context, t *testing.T, c *envconf.Config, b disturbance) {
	client, err := kubernetes.NewForConfig(c.Client().RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	spec, err := conformance.Spec(conformance.RunShort, 1)
	if err != nil {
		t.Fatal(err)
	}
	fallen := make(chan error, 1)
	struck := false
	events, runErr := conformance.Play(ctx, run.InProcess{Cluster: cluster(ctx, t)}, spec, func(e event.Event) {
		if struck || !b.when(e) {
			return
		}
		struck = true
		t.Logf("at %v %s", e.At, b.name)
		go func() { fallen <- b.inflict(context.WithoutCancel(ctx), client) }()
	})
	if !struck {
		t.Fatalf("the run ended before anything happened: %s, %v", conformance.Verdict(events), runErr)
	}
	if err := <-fallen; err != nil {
		t.Fatalf("nothing happened: %v", err)
	}
	verdict := conformance.Verdict(events)
	t.Logf("%s after %v: %v", verdict, events[len(events)-1].At, runErr)
	if !slices.Contains(b.allowed, verdict) {
		t.Errorf("the run ended as %q, want one of %q (%v)", verdict, b.allowed, runErr)
	}
	if (runErr != nil) != (verdict == event.OutcomeLabFault) {
		t.Errorf("the run ended as %q with the error %v", verdict, runErr)
	}
	readable(t, events)
}

// readable checks that a log can be written and read completely.
func readable(t *testing.T, events []event.Event) {
	var b bytes.Buffer
	w := event.NewWriter(&b)
	for _, e := range events {
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := event.NewBudget(1 << 30).Read(&b)
	if err != nil || len(read) != len(events) {
		t.Errorf("%d of %d events are readable: %v", len(read), len(events), err)
	}
	for i, e := range read {
		if e.Seq != i+1 {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
	}
	if _, ok := read[len(read)-1].Fact.(event.RunEnded); !ok {
		t.Errorf("the log ends with %s", read[len(read)-1].Fact.Kind())
	}
}

// stopAPIServer stops the API server's process, by its ID in the node. It responds to nobody and
// keeps its connections, as an unreachable machine does; the kubelet would restart it only after 80
// s.
func stopAPIServer(ctx context.Context, _ kubernetes.Interface) error {
	pid, err := docker(ctx, "exec", nodeOf(name), "pidof", "-s", "kube-apiserver")
	if err != nil {
		return err
	}
	if _, err := docker(ctx, "exec", nodeOf(name), "kill", "-STOP", pid); err != nil {
		return err
	}
	<-time.After(20 * time.Second)
	_, err = docker(ctx, "exec", nodeOf(name), "kill", "-CONT", pid)
	return err
}

func killPrometheus(ctx context.Context, client kubernetes.Interface) error {
	pods := client.CoreV1().Pods(labplace.VizNamespace)
	list, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	now, killed := int64(0), 0
	for _, p := range list.Items {
		if !strings.HasPrefix(p.Name, labplace.PrometheusService) {
			continue
		}
		if err := pods.Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			return err
		}
		killed++
	}
	if killed == 0 {
		return fmt.Errorf("no Prometheus among %d pods in %s", len(list.Items), labplace.VizNamespace)
	}
	return nil
}

func restartNode(ctx context.Context, _ kubernetes.Interface) error {
	_, err := docker(ctx, "restart", nodeOf(name))
	return err
}
