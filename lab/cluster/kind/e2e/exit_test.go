//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	labplace "coalmine/lab/cluster/names"
	"coalmine/lab/event"
	"coalmine/lab/run/conformance"
	"coalmine/lab/scenario"
)

// TestExitCode plays a run with the program, evicts a traffic pod, and checks exit code and folder.
func TestExitCode(t *testing.T) {
	f := features.New("coalmine run").Assess("ends with exit code 1 when the lab fails",
		func(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
			client, err := kubernetes.NewForConfig(c.Client().RESTConfig())
			if err != nil {
				t.Fatal(err)
			}
			scenario, guardrails := folders(t)
			dir := filepath.Join(t.TempDir(), "run")
			run := at(ctx).start(ctx, "run", scenario, "--cluster", "kind", "--name", name, "--guardrails", guardrails,
				"--version", "v3",
				"--trials", "1", "--no-tui", "-o", dir)
			if err := evictWhenRunning(ctx, client); err != nil {
				t.Error(err)
			}
			if err := run.wait().failed(1); err != nil {
				t.Error(err)
			}
			logs, err := filepath.Glob(filepath.Join(dir, "runs", "*", "events.jsonl"))
			if len(logs) != 1 {
				t.Fatalf("logs %v, %v", logs, err)
			}
			ended(t, logs[0])
			return ctx
		})
	environment.Test(t, f.Feature())
}

// underWay is the age of a traffic pod at which traffic has certainly started: the second half
// minute is still before the verdict.
const underWay = 30 * time.Second

// evictWhenRunning evicts a pod of a Job after it has been running for a while. Only traffic has
// Jobs.
func evictWhenRunning(ctx context.Context, client kubernetes.Interface) error {
	return wait.PollUntilContextTimeout(ctx, time.Second, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		list, err := client.CoreV1().Pods(labplace.DevelopNamespace).List(ctx,
			metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name"})
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool {
			return p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil &&
				time.Since(p.Status.StartTime.Time) > underWay
		})
		if i < 0 {
			return false, nil
		}
		return true, client.PolicyV1().Evictions(labplace.DevelopNamespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Name: list.Items[i].Name, Namespace: labplace.DevelopNamespace},
		})
	})
}

// folders writes the short scenario and its guardrails to disk, as a user would have them.
func folders(t *testing.T) (scn, guardrails string) {
	files, err := conformance.Files(conformance.RunShort)
	if err != nil {
		t.Fatal(err)
	}
	scn = filepath.Join(t.TempDir(), conformance.RunShort)
	guardrails = t.TempDir()
	for file, data := range files {
		dir := guardrails
		if file == scenario.FileScenario {
			dir = scn
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return scn, guardrails
}

// ended checks that a log on disk reports a fault of the lab.
func ended(t *testing.T, name string) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := event.NewBudget(1 << 30).Read(f)
	if err != nil {
		t.Errorf("the log cannot be read: %v", err)
	}
	if verdict := conformance.Verdict(events); verdict != event.OutcomeLabFault {
		t.Errorf("the log of %d events says %q", len(events), verdict)
	}
}
