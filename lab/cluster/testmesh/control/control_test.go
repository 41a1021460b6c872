package control

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
)

// goodToken is the token of service account backend in namespace develop, for the fake API server.
const goodToken = "token-of-backend"

// world is a control plane over fake API servers.
type world struct {
	t       *testing.T
	core    *fake.Clientset
	custom  *dynamicfake.FakeDynamicClient
	control *Control
	handler http.Handler
	log     *bytes.Buffer
	// reviews counts TokenReviews.
	reviews int
}

func newWorld(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	w := &world{t: t, core: fake.NewClientset(objects...), log: &bytes.Buffer{}}
	lists := map[schema.GroupVersionResource]string{routeResource(): "HTTPRouteList"}
	for _, p := range policies() {
		lists[p.resource] = "List"
	}
	w.custom = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists)
	w.answerReviews(func(r *authenticationv1.TokenReview) { asBackend(r) })
	var err error
	w.control, err = New(Config{Kubernetes: w.core, Dynamic: w.custom, Image: "coalmine.dev/testmesh:test",
		Now: time.Now,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = w.control.handler()
	return w
}

// asBackend answers as the API server does for tokens with the right audience.
func asBackend(r *authenticationv1.TokenReview) {
	r.Status.Authenticated = r.Spec.Token == goodToken
	r.Status.Audiences = r.Spec.Audiences
	r.Status.User.Username = "system:serviceaccount:develop:backend"
}

func (w *world) answerReviews(answer func(*authenticationv1.TokenReview)) {
	w.core.PrependReactor("create", "tokenreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.reviews++
		review := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		answer(review)
		return true, review, nil
	})
}

// run follows the fake cluster until the test ends.
func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	stopped := w.control.startLoops(ctx)
	w.t.Cleanup(func() {
		cancel()
		stopped()
	})
}

// do sends a request to the control plane, as a proxy does.
func (w *world) do(method, path string, body io.Reader, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

// authority is a trust anchor or an issuer.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string, parent *authority, from, until time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := &authority{cert: template, key: key}
	if parent == nil {
		parent = a
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *authority) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// trustSecret makes an anchor, and an issuer that is valid from an hour before until the given
// time.
func trustSecret(t *testing.T, until time.Time) *corev1.Secret {
	t.Helper()
	from := until.Add(-10 * 365 * 24 * time.Hour)
	anchor := newAuthority(t, "root.linkerd.cluster.local", nil, from, until.Add(time.Hour))
	issuer := newAuthority(t, "identity.linkerd.cluster.local", anchor, from, until)
	return secretOf(t, anchor, issuer)
}

func secretOf(t *testing.T, anchor, issuer *authority) *corev1.Secret {
	t.Helper()
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: names.TrustSecret, Namespace: names.MeshNamespace, ResourceVersion: "1"},
		Data: map[string][]byte{names.TrustRoots: anchor.certPEM(), names.IssuerCert: issuer.certPEM(),
			names.IssuerKey: issuer.keyPEM(t)},
	}
}

func pool(t *testing.T, s *corev1.Secret) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.Data[names.TrustRoots]) {
		t.Fatal("no roots in the Secret")
	}
	return roots
}

func namespace(name string, annotations map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
}

func meshedNamespace(name string) *corev1.Namespace {
	return namespace(name, map[string]string{names.InjectAnnotation: "enabled"})
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestServesAndStops uses everything that a proxy and the kubelet use, over real connections.
func TestServesAndStops(t *testing.T) {
	secret := trustSecret(t, time.Now().Add(365*24*time.Hour))
	w := newWorld(t, secret, meshedNamespace("develop"))
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	secure, admin := listen(), listen()
	w.control.cfg.Secure, w.control.cfg.Admin = secure, admin
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.control.Run(ctx) }()

	for get(t, http.DefaultClient, "http://"+admin.Addr().String()+"/ready", "").StatusCode != http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("never ready")
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool(t, secret), ServerName: "testmesh-control.linkerd.svc",
	}}}
	base := "https://" + secure.Addr().String()
	var s wire.Snapshot
	for {
		answer := get(t, client, base+wire.PathConfig, goodToken)
		if answer.StatusCode == http.StatusServiceUnavailable {
			continue // the first snapshot may not be there yet
		}
		if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
			t.Fatal(err)
		}
		break
	}
	metrics, _ := io.ReadAll(get(t, http.DefaultClient, "http://"+admin.Addr().String()+"/metrics", "").Body)
	if want := "testmesh_snapshot_generation"; !strings.Contains(string(metrics), want) {
		t.Errorf("metrics lack %s", want)
	}

	// A waiting proxy gets its answer when the control plane stops.
	waiting := make(chan int)
	go func() {
		waiting <- get(t, client, base+wire.PathConfig+"?after="+fmt.Sprint(s.Generation), goodToken).StatusCode
	}()
	for !strings.Contains(metricsOf(t, admin), "testmesh_snapshot_waiting 1") {
		if t.Context().Err() != nil {
			t.Fatal("no proxy waits")
		}
	}
	cancel()
	if status := <-waiting; status != http.StatusNoContent {
		t.Errorf("a proxy that waited was answered %d, want 204", status)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func metricsOf(t *testing.T, admin net.Listener) string {
	t.Helper()
	text, err := io.ReadAll(get(t, http.DefaultClient, "http://"+admin.Addr().String()+"/metrics", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func get(t *testing.T, client *http.Client, url, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return &http.Response{Body: http.NoBody}
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func TestNotReadyWithoutAnIssuer(t *testing.T) {
	w := newWorld(t, meshedNamespace("develop"))
	answer := httptest.NewRecorder()
	w.control.admin().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ready", nil))
	if answer.Code != http.StatusServiceUnavailable ||
		!strings.Contains(answer.Body.String(), "httproutes.gateway.networking.k8s.io") {
		t.Errorf("before anything was listed: %d %s", answer.Code, answer.Body)
	}
	w.run()
	for len(w.control.cluster.missing()) > 0 && t.Context().Err() == nil {
		_ = w.control.notReady()
	}
	if why := w.control.notReady(); !strings.Contains(why, names.TrustSecret) {
		t.Errorf("without an issuer it says %q", why)
	}
}
