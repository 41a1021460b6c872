package ground

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"coalmine/lab/kindlab/apply"
	"coalmine/lab/kindlab/bringup"
	"coalmine/lab/kindlab/bundle"
	"coalmine/lab/kindlab/chart"
	"coalmine/lab/kindlab/place"
	"coalmine/manifests"
)

// part is a step that applies objects and waits until they work.
type part struct {
	name, title, hint string
	make              func(context.Context, *Ground) (made, error)
}

// made is what a part comes to.
type made struct {
	objects []*unstructured.Unstructured
	// from is everything that the objects were made of. They are not compared themselves: some charts draw keys anew each time.
	from []any
}

// digest tells what was made of one thing from what was made of another.
func (m made) digest() (string, error) { return digest(m.from...) }

func digest(from ...any) (string, error) {
	text, err := json.Marshal(from)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// quickLook is how long workloads that should be ready have to prove it, before the step is taken again.
const quickLook = 2 * time.Second

// part makes a step of a part.
func (g *Ground) part(p part) bringup.Step {
	var m made // found out by Done, used by Do
	return bringup.Step{
		Name: p.name, Title: p.title, Hint: p.hint,
		Done: func(ctx context.Context) (bool, error) {
			var err error
			if m, err = p.make(ctx, g); err != nil {
				return false, err
			}
			g.awaited = append(g.awaited, apply.Awaited(m.objects)...)
			return g.stands(ctx, p.name, m)
		},
		Do: func(ctx context.Context, say func(string, ...any)) error { return g.apply(ctx, p.name, m, say) },
	}
}

// stands tells whether a part was made of the same, is all there, and works.
func (g *Ground) stands(ctx context.Context, name string, m made) (bool, error) {
	same, err := g.recorded(ctx, name, m)
	if err != nil || !same {
		return false, err
	}
	for _, o := range m.objects {
		_, err := g.conn.apply.Get(ctx, apply.RefOf(o))
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	quick, cancel := context.WithTimeout(ctx, quickLook)
	defer cancel()
	return g.conn.apply.Ready(quick, apply.Awaited(m.objects)...) == nil, ctx.Err()
}

// recorded tells whether a step was taken with the same.
func (g *Ground) recorded(ctx context.Context, name string, m made) (bool, error) {
	c, err := g.connect(ctx)
	if err != nil {
		return false, err
	}
	state, err := ReadState(ctx, c.kube)
	if err != nil {
		return false, err
	}
	d, err := m.digest()
	return err == nil && state.Step(name) == d, err
}

// apply makes a part and records it.
func (g *Ground) apply(ctx context.Context, name string, m made, say func(string, ...any)) error {
	d, err := m.digest()
	if err != nil {
		return err
	}
	// From here on the lab is not what was recorded of it, until the last step says that it is again.
	if err := record(ctx, g.conn.kube, State{keyStep + name: "", KeyImage: "", keyStep + stepReady: ""}); err != nil {
		return err
	}
	say("applying %d objects", len(m.objects))
	if err := g.conn.apply.Apply(ctx, m.objects); err != nil {
		return err
	}
	if awaited := apply.Awaited(m.objects); len(awaited) > 0 {
		say("waiting for %s", words(awaited))
		if err := g.conn.apply.Ready(ctx, awaited...); err != nil {
			return err
		}
	}
	return record(ctx, g.conn.kube, State{keyStep + name: d})
}

// words name what is waited for, as far as a line has room.
func words(refs []apply.Ref) string {
	const most = 2
	text := ""
	for i, r := range refs {
		switch {
		case i == most:
			return text + " and others"
		case i > 0:
			text += ", "
		}
		text += r.String()
	}
	return text
}

// files are manifests of our own.
func files(names ...string) func(context.Context, *Ground) (made, error) {
	return func(_ context.Context, g *Ground) (m made, err error) {
		p, err := g.params()
		if err != nil {
			return m, err
		}
		for _, name := range names {
			text, err := manifests.Render(name, p)
			if err != nil {
				return m, err
			}
			objects, err := apply.Decode(text)
			if err != nil {
				return m, err
			}
			m.objects = append(m.objects, objects...)
			m.from = append(m.from, string(text))
		}
		return m, nil
	}
}

// charted is a chart from the source, in a namespace, followed by manifests of our own.
func charted(name, namespace string, more ...string) func(context.Context, *Ground) (made, error) {
	return func(ctx context.Context, g *Ground) (made, error) {
		m, err := g.render(ctx, name, namespace)
		if err != nil || len(more) == 0 {
			return m, err
		}
		own, err := files(more...)(ctx, g)
		return made{append(m.objects, own.objects...), append(m.from, own.from...)}, err
	}
}

func (g *Ground) render(ctx context.Context, name, namespace string) (m made, err error) {
	c, err := g.connect(ctx)
	if err != nil {
		return m, err
	}
	archive, err := g.Source.Chart(ctx, name)
	if err != nil {
		return m, err
	}
	p, err := g.params()
	if err != nil {
		return m, err
	}
	values, err := manifests.Values(name, p)
	if err != nil {
		return m, err
	}
	patches, err := patchesOf(name, p)
	if err != nil {
		return m, err
	}
	if err := c.readAPIs(); err != nil {
		return m, err
	}
	m.from = []any{archive, values, patches, c.version}
	m.objects, err = chart.Render(archive, chart.Release{
		Name: name, Namespace: namespace, Values: values, Kubernetes: c.version, APIVersions: c.apis, Patches: patches,
	})
	return m, err
}

// patchesOf a chart: only Flagger's has some.
func patchesOf(name string, p manifests.Params) ([]chart.Patch, error) {
	if name != manifests.Flagger {
		return nil, nil
	}
	text, err := manifests.Render("flagger/patches.yaml", p)
	if err != nil {
		return nil, err
	}
	return chart.Patches(text)
}

// The parts.

func gatewayAPI() part {
	return part{
		name: "gateway-api", title: "Gateway API's CRDs",
		hint: "the CRDs come from the bundle or the Go module proxy; those of another version that somebody else has applied are in the way",
		make: func(ctx context.Context, g *Ground) (made, error) {
			text, err := g.Source.CRDs(ctx, bundle.GatewayAPI)
			if err != nil {
				return made{}, err
			}
			objects, err := apply.Decode(text)
			return made{objects, []any{string(text)}}, err
		},
	}
}

// hintPods is for what does not get ready, when nothing better is known.
const hintPods = "kubectl get pods -A shows what does not run, kubectl describe pod says why; then run coalmine up again, which goes on from here"

func (g *Ground) meshParts() []part {
	if g.Mesh == place.Linkerd {
		return []part{
			{"linkerd-crds", "Linkerd's CRDs", hintPods, charted(manifests.LinkerdCRDs, place.Mesh)},
			{"linkerd-control-plane", "Linkerd's control plane", hintPods, charted(manifests.LinkerdControlPlane, place.Mesh)},
			{"linkerd-viz", "Linkerd's viz extension with Prometheus", hintPods, charted(manifests.LinkerdViz, place.Viz, "linkerd/policy.yaml")},
		}
	}
	return []part{
		{"policy-crds", "CRDs of the mesh's policies", hintPods, files("standin/crds.yaml")},
		{"standin-control-plane", "the stand-in mesh's control plane", hintPods,
			files("standin/rbac.yaml", "standin/control.yaml", "standin/injector.yaml")},
		{"prometheus", "Prometheus", hintPods, files("prometheus/standin.yaml")},
	}
}

func flagger() part {
	return part{manifests.Flagger, "Flagger", hintPods, charted(manifests.Flagger, place.Flagger)}
}

// develop is the namespace of the demo services.
func develop() part {
	return part{place.Develop, "namespace " + place.Develop, hintPods, func(context.Context, *Ground) (made, error) {
		namespace := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": place.Develop, "annotations": map[string]any{place.InjectAnnotation: "enabled"}},
		}}
		return made{[]*unstructured.Unstructured{namespace}, []any{namespace}}, nil
	}}
}

// errNoServices says that a plan is incomplete.
var errNoServices = errors.New("the plan names no demo services")
