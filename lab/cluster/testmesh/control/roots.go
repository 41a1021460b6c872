package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
)

// rootsWriter keeps the trust roots in every meshed namespace, where pods mount them.
type rootsWriter struct {
	client  kubernetes.Interface
	cluster *cluster
	trust   *trustStore
	log     *slog.Logger
}

// reconcile writes the ConfigMap where it is missing or different. The error names all namespaces
// where that failed.
func (k *rootsWriter) reconcile(ctx context.Context) error {
	issuer, err := k.trust.current()
	if err != nil {
		return err
	}
	meshed, err := k.cluster.meshed()
	if err != nil {
		return err
	}
	var errs []error
	for name := range meshed {
		if err := k.reconcileIn(ctx, name, string(issuer.roots)); err != nil {
			errs = append(errs, fmt.Errorf("ConfigMap %s/%s: %w", name, wire.TrustRootsConfigMap, err))
		}
	}
	return errors.Join(errs...)
}

func (k *rootsWriter) reconcileIn(ctx context.Context, namespace, roots string) error {
	ns, err := k.cluster.namespaces.Get(namespace)
	if err != nil || ns.Status.Phase == corev1.NamespaceTerminating {
		return nil // gone or terminating: nothing can be created there
	}
	have, err := k.cluster.configMaps.ConfigMaps(namespace).Get(wire.TrustRootsConfigMap)
	client := k.client.CoreV1().ConfigMaps(namespace)
	switch {
	case err == nil && have.Data[names.TrustRoots] == roots:
		return nil
	case err == nil:
		changed := have.DeepCopy()
		changed.Data = map[string]string{names.TrustRoots: roots}
		_, err = client.Update(ctx, changed, metav1.UpdateOptions{FieldManager: names.FieldManager})
	case apierrors.IsNotFound(err):
		_, err = client.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: wire.TrustRootsConfigMap, Namespace: namespace,
				Labels: map[string]string{names.LabelManagedBy: names.FieldManager}},
			Data: map[string]string{names.TrustRoots: roots},
		}, metav1.CreateOptions{FieldManager: names.FieldManager})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return nil // the informer is behind, and its next change will notify again
	}
	if err == nil {
		k.log.Info("trust roots written", "namespace", namespace)
	}
	return err
}
