package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
)

// maxReview bounds an AdmissionReview, in bytes: an object in etcd has 1.5 MiB at most, and the
// review of a creation has it once.
const maxReview = 4 << 20

// injector answers the API server's AdmissionReviews of pods: [wire.PathInject]. It reads the
// namespace and the owner from the API server each time, as a stale cache could leave a pod without
// its proxy for good.
type injector struct {
	client  kubernetes.Interface
	image   string
	metrics *metrics
	log     *slog.Logger
}

// Results of a review, for the log and the metrics.
const (
	injected        = "injected"
	notAsked        = "not asked for"
	disabled        = "disabled by the pod"
	hostNetwork     = "on the host's network"
	alreadyInjected = "has a proxy"
	failed          = "failed"
)

func (i *injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReview)).Decode(&review); err != nil ||
		review.Request == nil {
		http.Error(w, "the body is not an AdmissionReview of admission.k8s.io/v1 with a request", http.StatusBadRequest)
		return
	}
	review.Response = i.admit(r.Context(), review.Request)
	review.Response.UID = review.Request.UID
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the API server reports a failure to its client
}

// admit decides about one pod. A pod that needs a proxy and cannot get it is refused; its owner
// tries again.
func (i *injector) admit(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	result, patch, err := i.mutate(ctx, request)
	if err != nil {
		i.log.Error("cannot inject", "namespace", request.Namespace, "pod", request.Name, "error", err)
		i.metrics.admitted.WithLabelValues(failed).Inc()
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{
			Code: http.StatusInternalServerError, Message: "testmesh cannot inject its proxy: " + err.Error(),
		}}
	}
	i.metrics.admitted.WithLabelValues(result).Inc()
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if patch != nil {
		response.Patch, response.PatchType = patch, new(admissionv1.PatchTypeJSONPatch)
	}
	return response
}

func (i *injector) mutate(ctx context.Context, request *admissionv1.AdmissionRequest) (result string, patch []byte,
	err error) {
	if request.Kind.Group != "" || request.Kind.Kind != "Pod" || request.Operation != admissionv1.Create {
		return notAsked, nil, nil
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(request.Object.Raw, pod); err != nil {
		return failed, nil, fmt.Errorf("pod: %w", err)
	}
	pod.Namespace = request.Namespace
	namespace, err := i.client.CoreV1().Namespaces().Get(ctx, request.Namespace, metav1.GetOptions{})
	if err != nil {
		return failed, nil, fmt.Errorf("namespace %s: %w", request.Namespace, err)
	}
	result = decide(pod, namespace)
	name := cmp.Or(pod.Name, pod.GenerateName+"…")
	if result != injected {
		i.log.Debug("pod not injected", "namespace", pod.Namespace, "pod", name, "why", result)
		return result, nil, nil
	}
	kind, workload, err := i.owner(ctx, pod)
	if err != nil {
		return failed, nil, err
	}
	patch, err = json.Marshal(injection(pod, namespace, kind, workload, i.image))
	if err != nil {
		return failed, nil, err
	}
	i.log.Info("pod injected", "namespace", pod.Namespace, "pod", name, "kind", kind, "workload", workload)
	return result, patch, nil
}

// decide returns whether a pod gets a proxy, in Linkerd's order (linkerd2, pkg/inject/report.go):
// the pod's annotation takes precedence over the namespace's, and an unknown value counts as none.
func decide(pod *corev1.Pod, namespace *corev1.Namespace) string {
	const enabled, off = "enabled", "disabled"
	asked := pod.Annotations[names.InjectAnnotation]
	switch {
	case namespace.Name == names.MeshNamespace || namespace.Name == metav1.NamespaceSystem:
		return notAsked // the control plane cannot depend on itself
	case asked == off:
		return disabled
	case asked != enabled && namespace.Annotations[names.InjectAnnotation] != enabled:
		return notAsked
	case pod.Spec.HostNetwork:
		return hostNetwork
	case hasContainer(pod, names.ProxyContainer) || hasContainer(pod, wire.InitContainer):
		return alreadyInjected
	}
	return injected
}

func hasContainer(pod *corev1.Pod, name string) bool {
	is := func(c corev1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(pod.Spec.InitContainers, is) || slices.ContainsFunc(pod.Spec.Containers, is)
}

// owner returns the workload of a pod: see the function owner.
func (i *injector) owner(ctx context.Context, pod *corev1.Pod) (kind, name string, err error) {
	kind, name = owner(pod, func(set string) *metav1.OwnerReference {
		rs, getErr := i.client.AppsV1().ReplicaSets(pod.Namespace).Get(ctx, set, metav1.GetOptions{})
		if getErr != nil {
			err = fmt.Errorf("ReplicaSet %s/%s: %w", pod.Namespace, set, getErr)
			return nil
		}
		return metav1.GetControllerOf(rs)
	})
	return kind, name, err
}
