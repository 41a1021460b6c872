package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"coalmine/lab/cluster/kind/apply"
	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/chart"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

// component is a step that applies objects and waits until they are ready.
type component struct {
	name, title, hint string
	render            func(context.Context, *Installer) (rendered, error)
}

// rendered is a component's objects.
type rendered struct {
	objects []*unstructured.Unstructured
	// inputs is everything the objects were rendered from. The objects themselves are not compared:
	// some charts generate new keys each time.
	inputs []any
}

// digest identifies the inputs.
func (m rendered) digest() (string, error) { return digest(m.inputs...) }

func digest(from ...any) (string, error) {
	text, err := json.Marshal(from)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// quickTimeout is how long workloads that should be ready have to show it before the step is
// repeated.
const quickTimeout = 2 * time.Second

// componentStep makes a step of a component.
func (g *Installer) componentStep(p component) steps.Step {
	var m rendered // set by Done, used by Do
	return steps.Step{
		Name: p.name, Title: p.title, Hint: p.hint,
		Done: func(ctx context.Context) (bool, error) {
			var err error
			if m, err = p.render(ctx, g); err != nil {
				return false, err
			}
			g.waitFor = append(g.waitFor, apply.Waitable(m.objects)...)
			return g.upToDate(ctx, p.name, m)
		},
		Do: func(ctx context.Context, say func(string, ...any)) error { return g.apply(ctx, p.name, m, say) },
	}
}

// upToDate reports whether a component was installed from the same inputs, exists, and is ready.
func (g *Installer) upToDate(ctx context.Context, name string, m rendered) (bool, error) {
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
	quick, cancel := context.WithTimeout(ctx, quickTimeout)
	defer cancel()
	return g.conn.apply.Ready(quick, apply.Waitable(m.objects)...) == nil, ctx.Err()
}

// recorded reports whether the step is recorded with the same inputs.
func (g *Installer) recorded(ctx context.Context, name string, m rendered) (bool, error) {
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

// apply applies a component and records it. What an earlier attempt applied from the same inputs is
// kept: to render a chart again would give it new keys, and restart pods that are well.
func (g *Installer) apply(ctx context.Context, name string, m rendered, say func(string, ...any)) error {
	d, err := m.digest()
	if err != nil {
		return err
	}
	missing, err := g.missing(ctx, name, d, m.objects)
	if err != nil {
		return err
	}
	// From here on the record does not describe the cluster until the last step is done.
	change := State{keyStep + name: "", KeyImage: "", keyStep + stepReady: ""}
	if len(missing) == len(m.objects) {
		change[keyApplied+name] = ""
	}
	if err := record(ctx, g.conn.kube, change); err != nil {
		return err
	}
	if len(missing) > 0 {
		say("applying %d objects", len(missing))
		if err := g.conn.apply.Apply(ctx, missing); err != nil {
			return err
		}
		if err := record(ctx, g.conn.kube, State{keyApplied + name: d}); err != nil {
			return err
		}
	}
	if err := g.waitForReady(ctx, apply.Waitable(m.objects), say); err != nil {
		return err
	}
	return record(ctx, g.conn.kube, State{keyStep + name: d})
}

// waitForReady waits for workloads, with new pods for those that have given up.
func (g *Installer) waitForReady(ctx context.Context, awaited []apply.Ref, say func(string, ...any)) error {
	if len(awaited) == 0 {
		return nil
	}
	replaced, err := g.conn.apply.ReplaceCrashed(ctx, awaited...)
	if err != nil {
		return err
	}
	if len(replaced) > 0 {
		say("replacing pods whose containers kept ending: %s", strings.Join(replaced, ", "))
	}
	say("waiting for %s", refList(awaited))
	return g.conn.apply.Ready(ctx, awaited...)
}

// missing returns the objects of a component that have to be applied: all of them, unless they were
// applied from the same inputs before.
func (g *Installer) missing(ctx context.Context, name, digest string,
	objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	state, err := g.state(ctx)
	if err != nil {
		return nil, err
	}
	if state.Applied(name) != digest {
		return objects, nil
	}
	var missing []*unstructured.Unstructured
	for _, o := range objects {
		_, err := g.conn.apply.Get(ctx, apply.RefOf(o))
		switch {
		case apierrors.IsNotFound(err) && hasKeys(o):
			return objects, nil // the others have to fit new keys
		case apierrors.IsNotFound(err):
			missing = append(missing, o)
		case err != nil:
			return nil, err
		}
	}
	return missing, nil
}

// hasKeys reports whether a chart may have generated keys for an object, or certificates that fit
// them.
func hasKeys(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "Secret", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		return true
	}
	return false
}

// refList names what is waited for, as far as it fits on a line.
func refList(refs []apply.Ref) string {
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

// manifestFiles renders coalmine's own manifests.
func manifestFiles(names ...string) func(context.Context, *Installer) (rendered, error) {
	return func(_ context.Context, g *Installer) (m rendered, err error) {
		p := g.params()
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
			m.inputs = append(m.inputs, string(text))
		}
		return m, nil
	}
}

// fromChart renders a chart from the source into a namespace, followed by coalmine's own manifests.
func fromChart(name, namespace string, more ...string) func(context.Context, *Installer) (rendered, error) {
	return func(ctx context.Context, g *Installer) (rendered, error) {
		m, err := g.render(ctx, name, namespace)
		if err != nil || len(more) == 0 {
			return m, err
		}
		own, err := manifestFiles(more...)(ctx, g)
		return rendered{append(m.objects, own.objects...), append(m.inputs, own.inputs...)}, err
	}
}

func (g *Installer) render(ctx context.Context, name, namespace string) (m rendered, err error) {
	c, err := g.connect(ctx)
	if err != nil {
		return m, err
	}
	archive, err := g.Source.Chart(ctx, name)
	if err != nil {
		return m, err
	}
	p := g.params()
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
	m.inputs = []any{archive, values, patches, c.version}
	m.objects, err = chart.Render(archive, chart.Release{
		Name: name, Namespace: namespace, Values: values, Kubernetes: c.version, APIVersions: c.apis, Patches: patches,
	})
	return m, err
}

// patchesOf returns the patches for a chart. Only Flagger's has any.
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

// The components.

func gatewayAPI() component {
	return component{
		name: "gateway-api", title: "Gateway API's CRDs",
		hint: "the CRDs come from the bundle or the Go module proxy; CRDs of another version that something else " +
			"has applied may conflict",
		render: func(ctx context.Context, g *Installer) (rendered, error) {
			text, err := g.Source.CRDs(ctx, bundle.GatewayAPI)
			if err != nil {
				return rendered{}, err
			}
			objects, err := apply.Decode(text)
			return rendered{objects, []any{string(text)}}, err
		},
	}
}

// hintPods is the advice for what does not become ready, if nothing better is known.
const hintPods = "kubectl get pods -A shows what does not run, kubectl describe pod shows why; then run coalmine up " +
	"again to continue"

func (g *Installer) meshComponents() []component {
	if g.mesh == nil {
		return []component{
			{"linkerd-crds", "Linkerd's CRDs", hintPods, fromChart(manifests.LinkerdCRDs, names.MeshNamespace)},
			{"linkerd-control-plane", "Linkerd's control plane", hintPods,
				fromChart(manifests.LinkerdControlPlane, names.MeshNamespace)},
			{"linkerd-viz", "Linkerd's viz extension with Prometheus", hintPods,
				fromChart(manifests.LinkerdViz, names.VizNamespace, "linkerd/policy.yaml")},
		}
	}
	var all []component
	for _, s := range g.mesh.Steps {
		all = append(all, component{s.Name, s.Title, hintPods, manifestFiles(s.Manifests...)})
	}
	return all
}

func flagger() component {
	return component{manifests.Flagger, "Flagger", hintPods, fromChart(manifests.Flagger, names.FlaggerNamespace)}
}

// develop creates the namespace of the demo services.
func develop() component {
	return component{names.DevelopNamespace, "namespace " + names.DevelopNamespace, hintPods,
		func(context.Context, *Installer) (rendered, error) {
			namespace := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Namespace",
				"metadata": map[string]any{"name": names.DevelopNamespace,
					"annotations": map[string]any{names.InjectAnnotation: "enabled"}},
			}}
			return rendered{[]*unstructured.Unstructured{namespace}, []any{namespace}}, nil
		}}
}

// errNoServices reports an incomplete plan.
var errNoServices = errors.New("the plan has no demo services")
