package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	flaggerclient "github.com/fluxcd/flagger/pkg/client/clientset/versioned"
	flaggerscheme "github.com/fluxcd/flagger/pkg/client/clientset/versioned/scheme"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/kind/apply"
	"coalmine/lab/cluster/names"
)

// clients talk to the API server, and through it to the agent.
type clients struct {
	kube    kubernetes.Interface
	flagger flaggerclient.Interface
	applier applier
	// agentURL and testerURL are the addresses of the agent and the load tester behind the API server;
	// transport reaches them.
	agentURL, testerURL string
	transport           http.RoundTripper
}

// applier is package apply's client.
type applier interface {
	Apply(ctx context.Context, objects []*unstructured.Unstructured) error
}

// Client-side rate limits: preparing a run creates about fifty objects at once.
const (
	clientQPS   = 50
	clientBurst = 100
)

func newClients(config *rest.Config) (c clients, err error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = clientQPS, clientBurst
	config.WarningHandler = rest.NoWarnings{} // they concern API versions, which are pinned
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		return c, err
	}
	if c.flagger, err = flaggerclient.NewForConfig(config); err != nil {
		return c, err
	}
	if c.applier, err = apply.New(config); err != nil {
		return c, err
	}
	if c.transport, err = rest.TransportFor(config); err != nil {
		return c, err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return c, err
	}
	behind := func(service string, port int) string {
		return strings.TrimSuffix(server.String(), "/") +
			fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%d/proxy", names.LabNamespace, service, port)
	}
	c.agentURL = behind(names.AgentService, names.AgentPort)
	c.testerURL = behind(names.LoadTesterService, 80)
	return c, nil
}

// agent returns a client of one run's agent: each run has its own process.
func (c clients) agent() *client.Agent {
	return &client.Agent{Base: c.agentURL, Transport: c.transport}
}

// apply applies objects of any kind in order.
func (c clients) apply(ctx context.Context, objects ...runtime.Object) error {
	var all []*unstructured.Unstructured
	for _, o := range objects {
		u, err := toUnstructured(o)
		if err != nil {
			return err
		}
		all = append(all, u)
	}
	return c.applier.Apply(ctx, all)
}

// toUnstructured converts an object to the form that is sent: with its kind, and without fields
// that only the server sets.
func toUnstructured(o runtime.Object) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		return nil, err
	}
	if u.GetKind() == "" {
		kinds, _, err := kubescheme.Scheme.ObjectKinds(o)
		if err != nil {
			if kinds, _, err = flaggerscheme.Scheme.ObjectKinds(o); err != nil {
				return nil, err
			}
		}
		u.SetGroupVersionKind(kinds[0])
	}
	delete(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "template", "metadata", "creationTimestamp")
	return u, nil
}
