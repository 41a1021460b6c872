package k8s

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"coalmine/lab/mesh"
)

func TestProtocol(t *testing.T) {
	annotated := func(ports string) map[string]string { return map[string]string{OpaquePortsAnnotation: ports} }
	for name, c := range map[string]struct {
		port        int32
		appProtocol *string
		annotations map[string]string
		want        mesh.Protocol
	}{
		"none":                        {80, nil, nil, mesh.ProtocolDetect},
		"http":                        {80, ptr.To("HTTP"), annotated("80"), mesh.ProtocolDetect},
		"h2c":                         {80, ptr.To("kubernetes.io/h2c"), nil, mesh.ProtocolHTTP2},
		"opaque":                      {80, ptr.To("linkerd.io/opaque"), nil, mesh.ProtocolOpaque},
		"an appProtocol of no one":    {80, ptr.To("https"), nil, mesh.ProtocolOpaque},
		"default opaque port":         {3306, nil, nil, mesh.ProtocolOpaque},
		"the annotation replaces":     {3306, nil, annotated(""), mesh.ProtocolDetect},
		"range":                       {80, nil, annotated("70 - 90"), mesh.ProtocolOpaque},
		"a list with an error":        {80, nil, annotated("80,many"), mesh.ProtocolDetect},
		"a range from high to low":    {80, nil, annotated("80,90-70"), mesh.ProtocolDetect},
		"an annotation of other port": {80, nil, annotated("81"), mesh.ProtocolDetect},
	} {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: c.annotations}}
		s.Spec.Ports = []corev1.ServicePort{{Port: c.port, AppProtocol: c.appProtocol}}
		if p, err := ServicePolicy(s, int(c.port)); err != nil || p.Protocol != c.want {
			t.Errorf("%s: protocol %v, want %v (%v)", name, p.Protocol, c.want, err)
		}
	}
}

func TestAccrualAnnotations(t *testing.T) {
	const prefix, rate = "balancer.linkerd.io/failure-accrual", "balancer.alpha.linkerd.io/failure-accrual-success-rate"
	for name, c := range map[string]struct {
		annotations map[string]string
		want        string // the policy's or a part of the error
	}{
		"none":        {map[string]string{rate + "-threshold": "0.5"}, ""},
		"consecutive": {map[string]string{prefix: "consecutive", rate + "-threshold": "2"}, "7 in a row"},
		"unified":     {map[string]string{prefix: "unified"}, "7 in a row, 0.8 in 10s of 5"},
		"settings": {map[string]string{prefix: "unified", prefix + "-consecutive-max-failures": "0",
			rate + "-threshold": "0.5", rate + "-window": "1m", rate + "-min-requests": "20"},
			"0 in a row, 0.5 in 1m0s of 20"},
		"threshold": {map[string]string{prefix: "unified", rate + "-threshold": "2"}, "from 0 to 1"},
		"window":    {map[string]string{prefix: "unified", rate + "-window": "5ms"}, "at least 10ms"},
		"mode":      {map[string]string{prefix: "sometimes"}, "consecutive"},
	} {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: c.annotations}}
		p, err := ServicePolicy(s, 80)
		got := accrualText(p.Accrual)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func accrualText(a *mesh.Accrual) string {
	if a == nil {
		return ""
	}
	text := fmt.Sprintf("%d in a row", a.MaxFailures)
	if r := a.Rate; r != nil {
		text += fmt.Sprintf(", %g in %v of %d", r.Threshold, r.Window, r.MinRequests)
	}
	return text
}

// TestTimeoutOfZero checks that a timeout of 0 in an annotation is over at once, and one in the rule
// is none.
func TestTimeoutOfZero(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"{annotations: {timeout.linkerd.io/request: 0s}}":       mesh.AtOnce,
		"{annotations: {timeout.linkerd.io/request: 2s}}":       2 * time.Second,
		"{}\nspec: {rules: [{timeouts: {request: 0s}}]}":        0,
		"{}\nspec: {rules: [{timeouts: {request: 500ms}}]}":     500 * time.Millisecond,
		"{}\nspec: {rules: [{timeouts: {request: 1m30s}}]}":     0,
		"{}\nspec: {rules: [{timeouts: {backendRequest: 1s}}]}": 0,
	} {
		if got := decodeRoute(t, "metadata: "+text).Rules[0].Timeouts.Request; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	linkerd := "apiVersion: policy.linkerd.io/v1beta3\nspec: {rules: [{timeouts: {request: 1m30s}}]}"
	if got := decodeRoute(t, linkerd).Rules[0].Timeouts.Request; got != 90*time.Second {
		t.Errorf("of Linkerd's own HTTPRoute: %v, want 1m30s", got)
	}
}

func TestBackendsThatLinkerdDoesNotSupport(t *testing.T) {
	const on80 = "{name: shop, port: 80, "
	for text, want := range map[string]string{
		"{name: shop, port: 80}":             "",
		on80 + "group: core, kind: Service}": "",
		"{name: shop, kind: Pod}":            "unsupported backend type core Pod",
		"{name: shop}":                       "missing port for backend Service shop",
		on80 + "filters: [{type: URLRewrite, urlRewrite: {}}]}": "unsupported backend filter: " +
			"URLRewrite filter is not supported",
		on80 + "filters: [{type: RequestRedirect, requestRedirect: {}}]}": "",
	} {
		b := decodeRoute(t, "spec: {rules: [{backendRefs: ["+text+"]}]}").Rules[0].Backends[0]
		if b.Invalid != want || (b.Redirect != nil) != strings.Contains(text, "RequestRedirect") {
			t.Errorf("%s: %+v, want %q", text, b, want)
		}
	}
}

// TestResponseFilterOfLinkerdsRoute checks that Linkerd's own HTTPRoute sets response headers on the
// request.
func TestResponseFilterOfLinkerdsRoute(t *testing.T) {
	const filter = "{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x, value: a}]}}"
	const spec = "\nspec: {rules: [{filters: [" + filter + "]}]}"
	gateway := decodeRoute(t, "apiVersion: gateway.networking.k8s.io/v1"+spec).Rules[0]
	linkerd := decodeRoute(t, "apiVersion: policy.linkerd.io/v1beta3"+spec).Rules[0]
	if len(gateway.ResponseHeaders.Set) != 1 || len(gateway.RequestHeaders.Set) != 0 ||
		len(linkerd.ResponseHeaders.Set) != 0 || len(linkerd.RequestHeaders.Set) != 1 {
		t.Errorf("of the Gateway API %+v, of Linkerd %+v", gateway, linkerd)
	}
}

func decodeRoute(t *testing.T, text string) mesh.Route {
	t.Helper()
	var r gatewayv1.HTTPRoute
	if err := yaml.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return Route(&r)
}
