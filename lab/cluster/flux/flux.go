// Package flux writes the lab's components as a repository for Flux: Linkerd and Flagger with the
// charts, versions and values that coalmine up installs, and a scenario's services with guardrails,
// which is suspended until somebody wants it.
package flux

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

// Folders of the repository.
const (
	Bootstrap = "flux/bootstrap/flux-system"
	Delivery  = "flux/infrastructure/progressive-delivery"
	Linkerd   = Delivery + "/linkerd"
	Flagger   = Delivery + "/flagger"
	Develop   = Delivery + "/develop"
)

// Names of Flux's own objects.
const (
	fluxNamespace = "flux-system"
	// repository is the source that flux bootstrap makes of the repository itself.
	repository = "flux-system"
	// TrustSecret has the values of the mesh's certificates, in the namespace of the mesh.
	TrustSecret = "linkerd-trust"
	valuesKey   = "values.yaml"
	fileOf      = "kustomization.yaml"
)

// Intervals at which Flux compares the cluster with the repository.
const (
	interval      = 10 * time.Minute
	chartInterval = time.Hour
	timeout       = 5 * time.Minute
)

// Options of a repository.
type Options struct {
	// Services are the objects of the demo services, Guardrails the learner's manifests by file name.
	Services   []*unstructured.Unstructured
	Guardrails map[string][]byte
	// Develop is set if the services and guardrails are to be applied from the start.
	Develop bool
}

// tree collects files by path.
type tree struct {
	files map[string][]byte
	errs  []error
}

// Files returns the files of the repository by path.
func Files(o Options) (map[string][]byte, error) {
	pins, err := manifests.Versions()
	if err != nil {
		return nil, err
	}
	t := &tree{files: map[string][]byte{}}
	t.linkerd(pins)
	t.flagger(pins)
	t.develop(o)
	t.bootstrap(o)
	t.files[README] = readmeFor(o.Develop)
	return t.files, errors.Join(t.errs...)
}

// put writes objects as the documents of a file.
func (t *tree) put(file string, objects ...any) {
	for _, o := range objects {
		text, err := document(o)
		if err != nil {
			t.errs = append(t.errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		t.files[file] = append(t.files[file], "---\n"+string(text)...)
	}
}

// document is an object as YAML, without what only a cluster sets.
func document(o any) ([]byte, error) {
	text, err := yaml.Marshal(o)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	return yaml.Marshal(withoutEmpty(fields))
}

// withoutEmpty removes the creation times that the types write although nobody set them.
func withoutEmpty(fields map[string]any) map[string]any {
	for key, value := range fields {
		if key == "creationTimestamp" && value == nil {
			delete(fields, key)
		}
		if inner, ok := value.(map[string]any); ok {
			fields[key] = withoutEmpty(inner)
		}
	}
	return fields
}

// kustomization lists the files of a folder.
func (t *tree) kustomization(folder string, files ...string) {
	slices.Sort(files)
	t.put(path.Join(folder, fileOf), map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files,
	})
}

func meta(name, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: namespace}
}

func every(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

// within returns a duration for a field that may be left out.
func within(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func helmRepository(name, namespace, url string) *sourcev1.HelmRepository {
	return &sourcev1.HelmRepository{
		TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.HelmRepositoryKind},
		ObjectMeta: meta(name, namespace),
		Spec:       sourcev1.HelmRepositorySpec{URL: url, Interval: every(chartInterval)},
	}
}

// unit is a Flux Kustomization of a folder of this repository.
func unit(name, folder string, after ...string) *kustomizev1.Kustomization {
	k := &kustomizev1.Kustomization{
		TypeMeta:   metav1.TypeMeta{APIVersion: kustomizev1.GroupVersion.String(), Kind: kustomizev1.KustomizationKind},
		ObjectMeta: meta(name, fluxNamespace),
		Spec: kustomizev1.KustomizationSpec{
			Interval: every(interval), Timeout: within(timeout), Prune: true, Wait: true, Path: "./" + folder,
			SourceRef: kustomizev1.CrossNamespaceSourceReference{Kind: sourcev1.GitRepositoryKind, Name: repository},
		},
	}
	for _, name := range after {
		k.Spec.DependsOn = append(k.Spec.DependsOn, kustomizev1.DependencyReference{Name: name})
	}
	return k
}

// Names of the Flux Kustomizations.
const (
	unitLinkerd = "progressive-delivery-linkerd"
	unitFlagger = "progressive-delivery-flagger"
	unitDevelop = "progressive-delivery-develop"
)

func (t *tree) bootstrap(o Options) {
	develop := unit(unitDevelop, Develop, unitFlagger)
	develop.Spec.Suspend = !o.Develop
	t.put(path.Join(Bootstrap, "infrastructure.yaml"), unit(unitLinkerd, Linkerd),
		unit(unitFlagger, Flagger, unitLinkerd), develop)
	t.kustomization(Bootstrap, "infrastructure.yaml")
}

func namespace(name string, annotations, labels map[string]string) map[string]any {
	metadata := map[string]any{"name": name}
	if annotations != nil {
		metadata["annotations"] = annotations
	}
	if labels != nil {
		metadata["labels"] = labels
	}
	return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
}

// develop is the pack of a scenario: services and guardrails.
func (t *tree) develop(o Options) {
	var files []string
	if len(o.Services) > 0 {
		files = append(files, "services.yaml")
		for _, s := range o.Services {
			t.put(path.Join(Develop, "services.yaml"), s.Object)
		}
	} else {
		files = append(files, "namespace.yaml")
		t.put(path.Join(Develop, "namespace.yaml"),
			namespace(names.DevelopNamespace, map[string]string{names.InjectAnnotation: "enabled"}, nil))
	}
	for name, data := range o.Guardrails {
		file := path.Join("guardrails", name)
		files = append(files, file)
		t.files[path.Join(Develop, file)] = data
	}
	t.kustomization(Develop, files...)
}

// patch is a JSON patch in the words of Flux.
func patch(kind, name string, operations any) (kustomize.Patch, error) {
	text, err := yaml.Marshal(operations)
	return kustomize.Patch{Patch: string(text), Target: &kustomize.Selector{Kind: kind, Name: name}}, err
}
