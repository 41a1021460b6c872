package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster"
	"coalmine/lab/scenario"
)

// Readable is what guardrails can read in a world, or select by.
type Readable struct {
	// Labels are the labels of all series so far and of all pods, as NAME=VALUE.
	Labels map[string]bool
	// Objects has the objects of the API server as JSON, by kind and name.
	Objects map[string]string
}

// Read returns what guardrails can read now.
func Read(of cluster.World) (Readable, error) {
	w := of.(*world)
	r := Readable{Labels: map[string]bool{}, Objects: map[string]string{}}
	ctx, list := context.Background(), metav1.ListOptions{}
	series, err := w.db.Query(ctx, `last_over_time({__name__=~".+"}[1h])`, time.Now())
	if err != nil {
		return r, err
	}
	for _, s := range series {
		for name, value := range s.Metric.Map() {
			r.Labels[name+"="+value] = true
		}
	}
	t, unlock := w.traffic.lock()
	for _, p := range t.pods {
		own := map[string]string{"name": p.Name, "account": p.ServiceAccount}
		for _, labels := range []map[string]string{p.Labels, p.Annotations, own} {
			for name, value := range labels {
				r.Labels[name+"="+value] = true
			}
		}
	}
	unlock()
	deployments, err := w.kube.AppsV1().Deployments(scenario.Namespace).List(ctx, list)
	if err != nil {
		return r, err
	}
	for _, d := range deployments.Items {
		d.Status.Conditions = nil // times
		r.add("deployment", d.Name, d)
	}
	canaries, err := w.flaggerClient.FlaggerV1beta1().Canaries(scenario.Namespace).List(ctx, list)
	if err != nil {
		return r, err
	}
	for _, c := range canaries.Items {
		r.add("canary", c.Name, c.Status)
	}
	routes, err := w.flaggerClient.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace).List(ctx, list)
	if err != nil {
		return r, err
	}
	for _, o := range routes.Items {
		r.add("route", o.Name, o.Spec)
	}
	services, err := w.kube.CoreV1().Services(scenario.Namespace).List(ctx, list)
	if err != nil {
		return r, err
	}
	for _, s := range services.Items {
		r.add("service", s.Name, s)
	}
	return r, nil
}

func (r *Readable) add(kind, name string, o any) {
	text, err := json.Marshal(o)
	r.Objects[kind+" "+name] = fmt.Sprint(string(text), err)
}

// Find returns what contains a text.
func (r *Readable) Find(text string) []string {
	var found []string
	for label := range r.Labels {
		if strings.Contains(label, text) {
			found = append(found, label)
		}
	}
	for name, object := range r.Objects {
		if strings.Contains(object, text) {
			found = append(found, name+": "+object)
		}
	}
	return found
}

// WatchGates calls see with the body of each webhook that Flagger calls. It replaces the gates of
// the guardrails, which have been applied.
func WatchGates(of cluster.World, see func(body []byte)) {
	w := of.(*world)
	for _, o := range w.spec.Guardrails.Objects {
		c, ok := o.Value.(*flaggerv1.Canary)
		if !ok || c.Spec.Analysis == nil {
			continue
		}
		for n, hook := range c.Spec.Analysis.Webhooks {
			next := w.gates(c.Name, hook)
			watch := func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body) // the gate rejects what was cut off
				see(body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(rw, r)
			}
			w.net.RegisterHandler(w.hosts.gate(c.Name, n), http.HandlerFunc(watch))
		}
	}
}
