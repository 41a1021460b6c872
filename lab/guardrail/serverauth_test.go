package guardrail

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const serverAuthorization = `apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: backend-http, labels: {tier: api}}
spec: {podSelector: {matchLabels: {app: backend}}, port: http, proxyProtocol: HTTP/1}
---
apiVersion: policy.linkerd.io/v1beta1
kind: ServerAuthorization
metadata: {name: edge}
spec:
  server: {selector: {matchLabels: {tier: api}}}
  client:
    networks: [{cidr: 10.0.0.0/8}]
    meshTLS:
      identities: ["*.prod.serviceaccount.identity.linkerd.cluster.local"]
      serviceAccounts: [{name: edge}, {name: agent, namespace: ops}]
`

func TestServerAuthorizationIsPolicy(t *testing.T) {
	set, err := parseText(serverAuthorization)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, o := range set.Objects {
		kinds = append(kinds, o.Kind)
		if o.Kind != "Server" && o.Source.Line != 6 {
			t.Errorf("%s is at line %d, want that of the ServerAuthorization", o.Kind, o.Source.Line)
		}
		switch v := o.Value.(type) {
		case *AuthorizationPolicy:
			if v.Spec.TargetRef.Name != "backend-http" || len(v.Spec.RequiredAuthenticationRefs) != 2 {
				t.Errorf("got %+v, want both authentications for backend-http", v.Spec)
			}
		case *MeshTLSAuthentication:
			want := []string{"*.prod.serviceaccount.identity.linkerd.cluster.local",
				"edge.develop.serviceaccount.identity.linkerd.cluster.local",
				"agent.ops.serviceaccount.identity.linkerd.cluster.local"}
			if !slices.Equal(v.Spec.Identities, want) {
				t.Errorf("got %+v", v.Spec)
			}
		case *NetworkAuthentication:
			if len(v.Spec.Networks) != 1 || v.Spec.Networks[0].CIDR != "10.0.0.0/8" {
				t.Errorf("got %+v", v.Spec)
			}
		}
	}
	want := []string{"Server", "MeshTLSAuthentication", "NetworkAuthentication", "AuthorizationPolicy"}
	if !slices.Equal(kinds, want) {
		t.Errorf("got the objects %v, want %v", kinds, want)
	}
}

func TestServerAuthorizationIsChecked(t *testing.T) {
	_, err := parseText(strings.Replace(serverAuthorization, "cidr: 10", "cdir: 10", 1))
	var found Errors
	if !errors.As(err, &found) || found[0].Line != 12 {
		t.Errorf("got %v, want the API server's refusal at line 12", err)
	}
}
