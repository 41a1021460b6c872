package flagger_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	flaggerfake "github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster/sim/flagger"
	"coalmine/lab/cluster/sim/kube"
	"coalmine/lab/cluster/sim/network"
	"coalmine/lab/cluster/sim/vclock"
)

const ns = "develop"

// witness records Flagger's messages with the time.
type witness struct {
	mu    sync.Mutex
	lines []string
}

func (w *witness) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%v ", time.Since(vclock.Epoch))+fmt.Sprintf(format, args...))
}

func (w *witness) Event(canary, eventType, message string) {
	w.say("%s %s: %s", canary, eventType, message)
}
func (w *witness) Alert(canary, severity, message string) {
	w.say("%s alert %s: %s", canary, severity, message)
}

// prometheus answers every query with one number.
type prometheus float64

func (p prometheus) RoundTrip(r *http.Request) (*http.Response, error) {
	v := float64(p)
	if r.URL.Query().Get("query") == "vector(1)" {
		v = 1
	}
	body := fmt.Sprintf(
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"%g"]}]}}`, v)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
		Request: r}, nil
}

func canary(host string) *flaggerv1.Canary {
	most := 1.0
	return &flaggerv1.Canary{
		TypeMeta:   metav1.TypeMeta{APIVersion: "flagger.app/v1beta1", Kind: "Canary"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "backend"},
		Spec: flaggerv1.CanarySpec{
			TargetRef: flaggerv1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "backend"},
			Service: flaggerv1.CanaryService{Port: 80,
				GatewayRefs: []gatewayv1beta1.ParentReference{{Name: "backend"}}},
			Analysis: &flaggerv1.CanaryAnalysis{
				Interval: "30s", Threshold: 2, StepWeights: []int{5, 25, 50, 100},
				Metrics: []flaggerv1.CanaryMetric{{
					Name: "errors", Interval: "1m", ThresholdRange: &flaggerv1.CanaryThresholdRange{Max: &most},
					TemplateRef: &flaggerv1.CrossNamespaceObjectReference{Name: "errors"},
				}},
			},
		},
	}
}

func deployment() *appsv1.Deployment {
	labels := map[string]string{"app": "backend"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "backend"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "backend:v1"}}},
			},
		},
	}
}

// rollout plays ten virtual minutes in which a new version is released after two, while metrics
// read errorRate.
func rollout(host string, errorRate float64) ([]string, error) {
	w := &witness{}
	err := vclock.Run(func() error {
		ctx := context.Background()
		kubes, flaggers := fake.NewSimpleClientset(), flaggerfake.NewSimpleClientset()
		f, err := flagger.Start(flagger.Clients{Kube: kubes, Flagger: flaggers}, "http://"+host, w)
		if err != nil {
			return err
		}
		deployments := kubes.AppsV1().Deployments(ns)
		canaries := flaggers.FlaggerV1beta1().Canaries(ns)
		if _, err := deployments.Create(ctx, deployment(), metav1.CreateOptions{}); err != nil {
			return err
		}
		template := &flaggerv1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "errors"},
			Spec: flaggerv1.MetricTemplateSpec{Provider: flaggerv1.MetricTemplateProvider{Type: "prometheus",
				Address: "http://" + host}, Query: "up"}}
		if _, err := flaggers.FlaggerV1beta1().MetricTemplates(ns).Create(ctx, template,
			metav1.CreateOptions{}); err != nil {
			return err
		}
		if _, err := canaries.Create(ctx, canary(host), metav1.CreateOptions{}); err != nil {
			return err
		}
		pods := kube.New(kubes, ns, 1, func(*corev1.PodTemplateSpec) time.Duration { return 3 * time.Second })
		for range 599 {
			time.Sleep(time.Second + 7*time.Microsecond) // between Flagger's instants
			vclock.WaitIdle()
			if _, err := pods.Reconcile(ctx, time.Since(vclock.Epoch)); err != nil {
				return err
			}
			if int(time.Since(vclock.Epoch).Seconds()) == 120 {
				d, err := deployments.Get(ctx, "backend", metav1.GetOptions{})
				if err != nil {
					return err
				}
				d.Spec.Template.Spec.Containers[0].Image = "backend:v2"
				if _, err := deployments.Update(ctx, d, metav1.UpdateOptions{}); err != nil {
					return err
				}
			}
		}
		if err := canaries.Delete(ctx, "backend", metav1.DeleteOptions{}); err != nil {
			return err
		}
		return f.Stop(ctx)
	})
	return w.lines, err
}

func serve(t *testing.T, host string, p prometheus) {
	t.Helper()
	n, err := network.Install()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.RegisterTransport(host, p))
}

func contains(lines []string, part string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, part) })
}

func TestHealthyReleaseIsPromoted(t *testing.T) {
	serve(t, "healthy.test", 0.1)
	lines, err := rollout("healthy.test", 0.1)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Advance backend.develop canary weight 5", "canary weight 25", "canary weight 50",
		"canary weight 100", "Promotion completed!", "alert info: Canary analysis completed successfully"} {
		if !contains(lines, want) {
			t.Errorf("no event %q:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

func TestFaultyReleaseIsRolledBack(t *testing.T) {
	serve(t, "faulty.test", 7)
	lines, err := rollout("faulty.test", 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Warning: Halt backend.develop advancement errors 7.00 > 1",
		"Rolling back backend.develop failed checks threshold reached 2", "Canary failed!"} {
		if !contains(lines, want) {
			t.Errorf("no event %q:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if contains(lines, "canary weight 25") {
		t.Error("a faulty canary advanced to 25 %")
	}
}

// The informers, jobs, queue and event broadcaster of a run must all end with it.
func TestNothingIsLeftBehind(t *testing.T) {
	serve(t, "again.test", 0.1)
	if _, err := rollout("again.test", 0.1); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 5 {
		if _, err := rollout("again.test", 0.1); err != nil {
			t.Fatal(err)
		}
	}
	// Connections of the proxy, outside virtual time, may take a moment to end.
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before five runs, %d after", before, after)
	}
}

func TestConcurrentRunsAreIdentical(t *testing.T) {
	const runs = 6
	logs := make([]string, runs)
	var wg sync.WaitGroup
	for i := range runs {
		host := fmt.Sprintf("side%d.test", i)
		serve(t, host, 0.1)
		wg.Go(func() {
			lines, err := rollout(host, 0.1)
			if err != nil {
				t.Error(err)
			}
			logs[i] = strings.Join(lines, "\n")
		})
	}
	wg.Wait()
	for i, l := range logs {
		if l != logs[0] || l == "" {
			t.Errorf("run %d differs from run 0:\n%s\n---\n%s", i, l, logs[0])
		}
	}
}
