package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// review sends a pod to the injector as the API server does, and returns the response.
func (w *world) review(namespace string, pod []byte) *admissionv1.AdmissionResponse {
	w.t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: types.UID("7"), Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Operation: admissionv1.Create,
			Namespace: namespace, Object: runtime.RawExtension{Raw: pod},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	answer := w.do(http.MethodPost, wire.PathInject, bytes.NewReader(body), "")
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil || review.Response == nil {
		w.t.Fatalf("%d %s: %v", answer.Code, answer.Body, err)
	}
	if review.Response.UID != "7" || review.Kind != "AdmissionReview" || review.APIVersion != "admission.k8s.io/v1" {
		w.t.Errorf("the answer does not belong to the question: %+v", review)
	}
	return review.Response
}

// inject returns the pod that the API server would store.
func (w *world) inject(namespace string, raw []byte) []byte {
	w.t.Helper()
	response := w.review(namespace, raw)
	if !response.Allowed {
		w.t.Fatalf("refused: %v", response.Result)
	}
	if response.Patch == nil {
		return raw
	}
	if response.PatchType == nil || *response.PatchType != admissionv1.PatchTypeJSONPatch {
		w.t.Fatalf("patch type %v", response.PatchType)
	}
	patch, err := jsonpatch.DecodePatch(response.Patch)
	if err != nil {
		w.t.Fatal(err)
	}
	patched, err := patch.Apply(raw)
	if err != nil {
		w.t.Fatalf("%s: %v", response.Patch, err)
	}
	return patched
}

func (w *world) injectPod(p *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	after := &corev1.Pod{}
	if strict, err := kjson.UnmarshalStrict(w.inject("develop", raw), after); err != nil || len(strict) > 0 {
		w.t.Fatalf("the API server would not take the pod: %v %v", err, strict)
	}
	return after
}

func testNames(containers []corev1.Container) []string {
	var list []string
	for _, c := range containers {
		list = append(list, c.Name)
	}
	return list
}

func controlledBy(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "x/v1", Kind: kind, Name: name, Controller: new(true)}}
}

// replicaSet is one of Deployment backend-primary.
func replicaSet() *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Name: "backend-primary-5d8f7", Namespace: "develop",
		OwnerReferences: controlledBy("Deployment", "backend-primary")}}
}

// deploymentPod is what the ReplicaSet creates: it has no name or namespace yet.
func deploymentPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "backend-primary-5d8f7-",
			OwnerReferences: controlledBy("ReplicaSet", "backend-primary-5d8f7"),
			Labels:          map[string]string{"app": "backend-primary"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "backend", Image: "x"}}},
	}
}

func TestPodOfADeploymentGetsItsProxy(t *testing.T) {
	ns := meshedNamespace("develop")
	ns.Annotations[mesh.DefaultPolicyAnnotation] = mesh.AllAuthenticated
	w := newWorld(t, ns, replicaSet())
	pod := w.injectPod(deploymentPod())

	if got := testNames(pod.Spec.InitContainers); !slices.Equal(got,
		[]string{wire.InitContainer, names.ProxyContainer}) {
		t.Fatalf("init containers %v", got)
	}
	if got := testNames(pod.Spec.Containers); !slices.Equal(got, []string{"backend"}) {
		t.Errorf("containers %v, want the pod's own", got)
	}
	first, proxy := pod.Spec.InitContainers[0], pod.Spec.InitContainers[1]
	if sc := first.SecurityContext; *sc.RunAsUser != 0 || *sc.RunAsNonRoot ||
		!slices.Equal(sc.Capabilities.Add, []corev1.Capability{"NET_ADMIN"}) || first.RestartPolicy != nil {
		t.Errorf("%s: %+v", first.Name, first)
	}
	if sc := proxy.SecurityContext; *sc.RunAsUser != wire.ProxyUser || len(sc.Capabilities.Add) > 0 ||
		*proxy.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("%s: %+v", proxy.Name, proxy)
	}
	for _, c := range pod.Spec.InitContainers {
		want := map[string]string{wire.InitContainer: wire.CommandInit, names.ProxyContainer: wire.CommandProxy}[c.Name]
		if c.Image != "coalmine.dev/testmesh:test" || !slices.Equal(c.Args, []string{want}) {
			t.Errorf("%s runs %s %v", c.Name, c.Image, c.Args)
		}
	}
	for key, want := range map[string]string{
		"app": "backend-primary", names.WorkloadLabel: names.MeshNamespace,
		names.ProxyDeploymentLabel: "backend-primary", "linkerd.io/workload-ns": "develop",
	} {
		if pod.Labels[key] != want {
			t.Errorf("label %s is %q, want %q", key, pod.Labels[key], want)
		}
	}
	if got := pod.Annotations[mesh.DefaultPolicyAnnotation]; got != mesh.AllAuthenticated {
		t.Errorf("default policy %q, want the namespace's", got)
	}
	if p := proxy.StartupProbe.HTTPGet; p.Path != "/ready" || p.Port.IntValue() != names.AdminPort {
		t.Errorf("startup probe %+v", p)
	}
}

// TestProxyFindsItsFiles follows mounts and volumes from the paths that the proxy reads.
func TestProxyFindsItsFiles(t *testing.T) {
	w := newWorld(t, meshedNamespace("develop"), replicaSet())
	pod := w.injectPod(deploymentPod())
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = v
	}
	var files []string
	for _, m := range pod.Spec.InitContainers[1].VolumeMounts {
		v := volumes[m.Name]
		if v.ConfigMap != nil && v.ConfigMap.Name == wire.TrustRootsConfigMap {
			files = append(files, m.MountPath+"/"+v.ConfigMap.Items[0].Path)
		}
		if v.Projected != nil && v.Projected.Sources[0].ServiceAccountToken.Audience == wire.TokenAudience {
			files = append(files, m.MountPath+"/"+v.Projected.Sources[0].ServiceAccountToken.Path)
		}
	}
	if want := []string{wire.TokenFile, wire.TrustRootsFile}; !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	env := map[string]string{}
	for _, e := range pod.Spec.InitContainers[1].Env {
		if e.ValueFrom != nil {
			env[e.Name] = e.ValueFrom.FieldRef.FieldPath
		} else {
			env[e.Name] = e.Value
		}
	}
	for name, want := range map[string]string{
		"TESTMESH_POD_NAME": "metadata.name", "TESTMESH_POD_NAMESPACE": "metadata.namespace",
		"TESTMESH_POD_IP":          "status.podIP",
		"TESTMESH_SERVICE_ACCOUNT": "spec.serviceAccountName",
		"TESTMESH_CONTROL":         "https://testmesh-control.linkerd.svc:8443",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
}

func TestOwnInitContainersAndVolumesStay(t *testing.T) {
	w := newWorld(t, meshedNamespace("develop"))
	before := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "traffic-0", OwnerReferences: controlledBy("Job", "traffic"),
			Annotations: map[string]string{"example.com/a~b": "own", names.SkipOutboundPorts: "5432"},
			Labels:      map[string]string{"job-name": "traffic"}},
		Spec: corev1.PodSpec{
			RestartPolicy:  corev1.RestartPolicyNever,
			InitContainers: []corev1.Container{{Name: "wait", Image: "x"}},
			Containers:     []corev1.Container{{Name: "traffic", Image: "x"}},
			Volumes: []corev1.Volume{{Name: "plan",
				VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
	pod := w.injectPod(before)
	if got := testNames(pod.Spec.InitContainers); !slices.Equal(got,
		[]string{wire.InitContainer, names.ProxyContainer, "wait"}) {
		t.Errorf("init containers %v, want the mesh's first", got)
	}
	if len(pod.Spec.Volumes) != 3 || pod.Spec.Volumes[0].Name != "plan" {
		t.Errorf("volumes %v, want the pod's own and two", pod.Spec.Volumes)
	}
	if pod.Annotations["example.com/a~b"] != "own" || pod.Labels["job-name"] != "traffic" {
		t.Errorf("own metadata changed: %v %v", pod.Annotations, pod.Labels)
	}
	if pod.Labels["linkerd.io/proxy-job"] != "traffic" || pod.Labels[names.ProxyDeploymentLabel] != "" {
		t.Errorf("labels %v, want the Job's", pod.Labels)
	}
	if *pod.Spec.InitContainers[1].RestartPolicy != corev1.ContainerRestartPolicyAlways ||
		pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Error("the Job would never complete: the proxy is not a native sidecar")
	}
}

func TestPodAnnotationsTakePrecedence(t *testing.T) {
	ns := meshedNamespace("develop")
	ns.Annotations[names.SkipInboundPorts] = "9102"
	ns.Annotations[names.SkipOutboundPorts] = "3306"
	w := newWorld(t, ns, replicaSet())
	pod := deploymentPod()
	pod.Annotations = map[string]string{names.SkipOutboundPorts: "5432,6379"}
	env := map[string]string{}
	for _, e := range w.injectPod(pod).Spec.InitContainers[0].Env {
		env[e.Name] = e.Value
	}
	if env["TESTMESH_SKIP_INBOUND"] != "9102" || env["TESTMESH_SKIP_OUTBOUND"] != "5432,6379" {
		t.Errorf("environment %v", env)
	}
}

func TestInjectionHappensOnceAndKeepsUnknownFields(t *testing.T) {
	w := newWorld(t, meshedNamespace("develop"))
	once := w.inject("develop", []byte(
		`{"metadata":{"name":"a"},"spec":{"futureField":{"x":[1]},"containers":[{"name":"a","futureToo":1}]}}`))
	for _, want := range []string{`"futureField":{"x":[1]}`, `"futureToo":1`, names.ProxyContainer} {
		if !strings.Contains(string(once), want) {
			t.Errorf("%s is not in %s", want, once)
		}
	}
	if twice := w.inject("develop", once); !bytes.Equal(once, twice) {
		t.Errorf("a second time changed it:\n%s\n%s", once, twice)
	}
}

// TestPodWithPartOfAProxyIsNotInjected: pods may have one of the mesh's containers themselves. The
// API server would reject a second one of the same name.
func TestPodWithPartOfAProxyIsNotInjected(t *testing.T) {
	w := newWorld(t, meshedNamespace("develop"))
	for _, name := range []string{wire.InitContainer, names.ProxyContainer} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: name}}}}
		if got := w.injectPod(pod); len(got.Spec.InitContainers) > 0 {
			t.Errorf("with a container %s: init containers %v", name, testNames(got.Spec.InitContainers))
		}
	}
}

func TestWhoGetsAProxy(t *testing.T) {
	const annotation = names.InjectAnnotation
	for name, c := range map[string]struct {
		namespace, ns, pod string
		host, want         bool
	}{
		"namespace asks":                  {ns: "enabled", want: true},
		"no annotation":                   {},
		"pod opts out":                    {ns: "enabled", pod: "disabled"},
		"pod alone asks":                  {pod: "enabled", want: true},
		"pod asks against the namespace":  {ns: "disabled", pod: "enabled", want: true},
		"a word that is none of the two":  {ns: "enabled", pod: "yes", want: true},
		"on the host's network":           {ns: "enabled", host: true},
		"in the control plane's own":      {namespace: names.MeshNamespace, ns: "enabled", pod: "enabled"},
		"among the cluster's own":         {namespace: "kube-system", ns: "enabled"},
		"a word that asks for everything": {ns: "true"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.namespace == "" {
				c.namespace = "develop"
			}
			ns, pod := namespace(c.namespace, nil), deploymentPod()
			pod.OwnerReferences = nil
			if c.ns != "" {
				ns.Annotations = map[string]string{annotation: c.ns}
			}
			if c.pod != "" {
				pod.Annotations = map[string]string{annotation: c.pod}
			}
			pod.Spec.HostNetwork = c.host
			raw, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			response := newWorld(t, ns).review(c.namespace, raw)
			if !response.Allowed || (response.Patch != nil) != c.want {
				t.Errorf("allowed %v, patched %v; want a proxy: %v", response.Allowed, response.Patch != nil, c.want)
			}
		})
	}
}

// TestPodIsRefusedIfItCannotBeInjected covers what the API server may not know yet: a pod without
// its proxy would stay so.
func TestPodIsRefusedIfItCannotBeInjected(t *testing.T) {
	raw, err := json.Marshal(deploymentPod())
	if err != nil {
		t.Fatal(err)
	}
	for what, w := range map[string]*world{
		"ReplicaSet develop/backend-primary-5d8f7": newWorld(t, meshedNamespace("develop")),
		"namespace develop":                        newWorld(t),
	} {
		response := w.review("develop", raw)
		if response.Allowed || !strings.Contains(response.Result.Message, what) {
			t.Errorf("without %s: %+v", what, response)
		}
	}
}

func TestOtherBodiesAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{"", "{}", "[]", `{"request":null}`, "x" + strings.Repeat(" ", maxReview)} {
		if answer := w.do(http.MethodPost, wire.PathInject, strings.NewReader(body),
			""); answer.Code != http.StatusBadRequest {
			t.Errorf("%.20q: %d, want 400", body, answer.Code)
		}
	}
}

func TestWorkloadNamesTooLongForLabels(t *testing.T) {
	w := newWorld(t, meshedNamespace("develop"))
	pod := deploymentPod()
	pod.OwnerReferences = controlledBy("Job", strings.Repeat("a", 64))
	if got, ok := w.injectPod(pod).Labels["linkerd.io/proxy-job"]; ok {
		t.Errorf("label %q would make the API server refuse the pod", got)
	}
}
