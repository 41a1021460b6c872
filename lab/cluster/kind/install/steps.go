package install

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/kind/apply"
	"coalmine/lab/cluster/kind/certs"
	"coalmine/lab/cluster/kind/image"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

// Names of the steps that are not components.
const (
	stepCluster  = "cluster"
	stepImages   = "images"
	stepCerts    = "trust"
	stepServices = "app"
	stepReady    = "ready"
)

// clusterStep creates the cluster, its namespaces, and the recorded state.
func (g *Installer) clusterStep() steps.Step {
	return steps.Step{
		Name: stepCluster, Title: "the kind cluster " + g.Cluster.Name(),
		Hint: "docker ps -a and docker logs " + g.Cluster.Name() + "-control-plane show how far it got; run " +
			"coalmine up again to continue, or coalmine down first to start over",
		Done: func(ctx context.Context) (bool, error) {
			ready, err := g.Cluster.Ready(ctx)
			if err != nil {
				return false, err
			}
			// Without an image, the following steps would fail.
			if _, err := g.own(); err != nil || !ready {
				return false, err
			}
			state, err := g.state(ctx)
			if err != nil {
				return false, err
			}
			return state.Step(stepCluster) != "", g.sameMesh(state)
		},
		Do: func(ctx context.Context, say func(string, ...any)) error {
			n := g.Source.Node()
			img := kindcluster.Image{Ref: n.Ref, Config: n.Config}
			if n.Archive != nil {
				img.Archive = n.Archive
			}
			if err := g.Cluster.Ensure(ctx, img, say); err != nil {
				return err
			}
			state, err := g.state(ctx)
			if err != nil {
				return err
			}
			if err := g.sameMesh(state); err != nil {
				return err
			}
			return g.createNamespaces(ctx)
		},
	}
}

// createNamespaces creates the namespaces and starts the recorded state.
func (g *Installer) createNamespaces(ctx context.Context) error {
	text, err := manifests.Folder("cluster", g.params())
	if err != nil {
		return err
	}
	objects, err := apply.Decode(text)
	if err != nil {
		return err
	}
	if err := g.conn.apply.Apply(ctx, objects); err != nil {
		return err
	}
	return record(ctx, g.conn.kube, State{
		KeyMesh: g.meshName(), keyMeshSteps: g.meshSteps(), keyStep + stepCluster: g.conn.version,
	})
}

func (g *Installer) state(ctx context.Context) (State, error) {
	c, err := g.connect(ctx)
	if err != nil {
		return nil, err
	}
	return ReadState(ctx, c.kube)
}

// OtherMeshError reports that a cluster has another mesh than the plan.
type OtherMeshError struct{ Cluster, Has, Want string }

func (e *OtherMeshError) Error() string {
	return fmt.Sprintf("cluster %s has mesh %s, and the mesh of a cluster cannot change", e.Cluster, e.Has)
}

// Hint says what to do.
func (e *OtherMeshError) Hint() string {
	return fmt.Sprintf("use the source that the cluster was created from, which has mesh %s, or create a cluster "+
		"with mesh %s under another --name, or delete this one first: coalmine down --name %s", e.Has, e.Want,
		e.Cluster)
}

func (g *Installer) sameMesh(s State) error {
	if has := s[KeyMesh]; has != "" && has != g.meshName() {
		return &OtherMeshError{g.Cluster.Name(), has, g.meshName()}
	}
	return nil
}

// imagesStep loads images into the nodes.
func (g *Installer) imagesStep() steps.Step {
	return steps.Step{
		Name: stepImages, Title: "images in the node",
		Hint: "docker system df shows whether Docker's disk is full; coalmine up continues with the missing images",
		Done: func(ctx context.Context) (bool, error) {
			left, err := g.missingImages(ctx)
			return len(left) == 0, err
		},
		Do: func(ctx context.Context, say func(string, ...any)) error {
			left, err := g.missingImages(ctx)
			if err != nil {
				return err
			}
			if own, err := g.own(); err == nil && own.program == image.Coalmine {
				say("coalmine-agent is not built in (make build): pods run all of coalmine")
			}
			for _, i := range left {
				say("loading %s", i.refs[0])
				if err := g.Cluster.Load(ctx, i.archive); err != nil {
					return err
				}
			}
			return record(ctx, g.conn.kube, State{keyStep + stepImages: fmt.Sprintf("%d loaded", len(left))})
		},
	}
}

// missingImages returns the archives with an image that some node lacks.
func (g *Installer) missingImages(ctx context.Context) ([]imageArchive, error) {
	wanted, err := g.archives()
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, w := range wanted {
		refs = append(refs, w.refs...)
	}
	missing, err := g.Cluster.Missing(ctx, refs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(wanted, func(w imageArchive) bool {
		return !slices.ContainsFunc(w.refs, func(ref string) bool { return slices.Contains(missing, ref) })
	}), nil
}

// renewBefore is the remaining validity below which a trust chain is replaced. A cluster is used
// for hours.
const renewBefore = 7 * 24 * time.Hour

// certsStep creates the trust chain, once.
func (g *Installer) certsStep() steps.Step {
	return steps.Step{
		Name: stepCerts, Title: "trust anchor and issuer",
		Hint: "kubectl -n " + names.MeshNamespace + " get secret " + names.TrustSecret + " shows them; if it is " +
			"damaged, delete it and run coalmine up again",
		Done: func(ctx context.Context) (bool, error) {
			c, err := g.connect(ctx)
			if err != nil {
				return false, err
			}
			kept, err := ReadCerts(ctx, c.kube)
			if err != nil {
				return false, err
			}
			left, err := kept.Check(g.Now())
			if err != nil || left.Issuer < renewBefore {
				return false, nil // it is replaced
			}
			g.chain = kept
			return true, nil
		},
		Do: func(ctx context.Context, _ func(string, ...any)) (err error) {
			if g.chain, err = certs.New(g.Now()); err != nil {
				return err
			}
			return g.conn.apply.Apply(ctx, []*unstructured.Unstructured{secretOf(g.chain)})
		},
	}
}

// ReadCerts returns the cluster's trust chain, which is empty if there is none.
func ReadCerts(ctx context.Context, kube kubernetes.Interface) (certs.Chain, error) {
	s, err := kube.CoreV1().Secrets(names.MeshNamespace).Get(ctx, names.TrustSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return certs.Chain{}, nil
	}
	if err != nil {
		return certs.Chain{}, fmt.Errorf("read the trust chain: %w", err)
	}
	return certs.Chain{Roots: s.Data[names.TrustRoots], IssuerCert: s.Data[names.IssuerCert],
		IssuerKey: s.Data[names.IssuerKey]}, nil
}

func secretOf(c certs.Chain) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
		"metadata": map[string]any{"name": names.TrustSecret, "namespace": names.MeshNamespace},
		"stringData": map[string]any{
			names.TrustRoots: string(c.Roots), names.IssuerCert: string(c.IssuerCert),
			names.IssuerKey: string(c.IssuerKey),
		},
	}}
}

// servicesStep installs the demo services. Runs replace them, and Flagger and learners change them,
// so the step is done if they were applied once; to apply others, it recreates their namespace.
func (g *Installer) servicesStep() steps.Step {
	var m rendered
	return steps.Step{
		Name: stepServices, Title: "demo services", Hint: hintPods,
		Done: func(ctx context.Context) (bool, error) {
			if g.Services == nil {
				return false, errNoServices
			}
			own, err := g.own()
			if err != nil {
				return false, err
			}
			if m.objects, err = g.Services(own.ref); err != nil {
				return false, err
			}
			m.inputs = []any{m.objects}
			return g.recorded(ctx, stepServices, m)
		},
		Do: func(ctx context.Context, say func(string, ...any)) error {
			state, err := g.state(ctx)
			if err != nil {
				return err
			}
			if state.Step(stepServices) != "" {
				say("deleting the previous services")
				if err := g.clearDevelop(ctx); err != nil {
					return err
				}
			}
			return g.apply(ctx, stepServices, m, say)
		},
	}
}

func (g *Installer) clearDevelop(ctx context.Context) error {
	m, err := develop().render(ctx, g)
	if err != nil {
		return err
	}
	if err := g.conn.apply.Delete(ctx, m.objects); err != nil {
		return err
	}
	return g.conn.apply.Apply(ctx, m.objects)
}

// readyStep waits for everything once more and records that the cluster is up.
func (g *Installer) readyStep() steps.Step {
	return steps.Step{
		Name: stepReady, Title: "everything ready", Hint: hintPods,
		Do: func(ctx context.Context, say func(string, ...any)) error {
			say("checking %d workloads and webhooks", len(g.waitFor))
			if err := g.conn.apply.Ready(ctx, g.waitFor...); err != nil {
				return err
			}
			own, err := g.own()
			if err != nil {
				return err
			}
			return record(ctx, g.conn.kube, State{
				KeyImage: own.ref, KeyBundle: g.Source.String(),
				keyStep + stepReady: g.Now().UTC().Format(time.RFC3339),
			})
		},
	}
}
