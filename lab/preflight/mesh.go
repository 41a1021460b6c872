package preflight

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/format"
)

// certificate returns the first certificate under a key of the trust Secret.
func (l *Lab) certificate(ctx context.Context, key string) (*x509.Certificate, error) {
	secret, err := l.kube.CoreV1().Secrets(names.MeshNamespace).Get(ctx, names.TrustSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(secret.Data[key])
	if block == nil {
		return nil, fmt.Errorf("no certificate under %s in Secret %s/%s", key, names.MeshNamespace, names.TrustSecret)
	}
	return x509.ParseCertificate(block.Bytes)
}

func trustAnchor(ctx context.Context, l *Lab) Finding {
	anchor, err := l.certificate(ctx, names.TrustRoots)
	if err != nil {
		return fail("%v", err)
	}
	return l.checkValidity(anchor)
}

// checkValidity reports how long a certificate is valid.
func (l *Lab) checkValidity(c *x509.Certificate) Finding {
	now := l.Now()
	left := c.NotAfter.Sub(now)
	text := fmt.Sprintf("%s, %d days old, expires %s", c.Subject.CommonName, days(now.Sub(c.NotBefore)),
		c.NotAfter.Format(time.DateOnly))
	switch {
	case now.Before(c.NotBefore):
		return fail("%s: not valid before %s: a clock is wrong", text, c.NotBefore.Format(time.DateTime))
	case left <= 0:
		return fail("%s: expired; running pods still work, but new pods and new connections fail", text)
	case left < renewBefore:
		return warn("%s: in %d days", text, days(left))
	}
	return pass("%s", text)
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

func issuer(ctx context.Context, l *Lab) Finding {
	anchor, err := l.certificate(ctx, names.TrustRoots)
	if err != nil {
		return fail("%v", err)
	}
	c, err := l.certificate(ctx, names.IssuerCert)
	if err != nil {
		return fail("%v", err)
	}
	if err := c.CheckSignatureFrom(anchor); err != nil {
		return fail("%s was not signed by %s: %v", c.Subject.CommonName, anchor.Subject.CommonName, err)
	}
	return l.checkValidity(c)
}

// renewedAt is the share of a certificate's lifetime after which proxies renew it.
const leafLife, renewedAt = 24 * time.Hour, 0.7

func workloadCertificates(ctx context.Context, l *Lab) Finding {
	samples, err := l.prometheus.Query(ctx, fmt.Sprintf(
		`min by (namespace, pod) (control_identity_cert_expiration_timestamp_seconds{namespace=%q})`,
		names.DevelopNamespace))
	if err != nil {
		return fail("%v", err)
	}
	if len(samples) == 0 {
		return warn("no proxy exports the expiry of its certificate")
	}
	first := slices.MinFunc(samples, func(a, b Sample) int { return cmp.Compare(a.Value, b.Value) })
	left := time.Unix(int64(first.Value), 0).Sub(l.Now())
	text := fmt.Sprintf("%d proxies; the first certificate expires in %v (%s)", len(samples), left.Round(time.Minute),
		first.Labels["pod"])
	late := time.Duration((1 - renewedAt) * float64(leafLife))
	switch {
	case left <= 0:
		return fail("%s", text)
	case left < late-time.Hour:
		return warn("%s: it should have been renewed", text)
	}
	return pass("%s", text)
}

func controlPlane(ctx context.Context, l *Lab) Finding {
	return l.deploymentsReady(ctx, names.MeshNamespace)
}

func (l *Lab) deploymentsReady(ctx context.Context, namespace string) Finding {
	list, err := l.kube.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	if len(list.Items) == 0 {
		return fail("no Deployment in namespace %s", namespace)
	}
	var ready, waiting []string
	for _, d := range list.Items {
		ready = append(ready, fmt.Sprintf("%s (%s)", d.Name, imageTag(&d.Spec.Template.Spec)))
		if want := max(1, ptr.Deref(d.Spec.Replicas, 1)); d.Status.AvailableReplicas < want {
			waiting = append(waiting, fmt.Sprintf("%s has %d of %d pods", d.Name, d.Status.AvailableReplicas, want))
		}
	}
	if len(waiting) > 0 {
		return fail("%s", joinShort(waiting))
	}
	return pass("%s", strings.Join(ready, ", "))
}

// imageTag returns the image tag of the first container.
func imageTag(s *corev1.PodSpec) string {
	if len(s.Containers) == 0 {
		return "no container"
	}
	return podstatus.ImageTag(s.Containers[0].Image)
}

// injector checks the webhook that injects proxies, and whether the API server trusts its server.
func injector(ctx context.Context, l *Lab) Finding {
	list, err := l.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	for _, c := range list.Items {
		for _, w := range c.Webhooks {
			s := w.ClientConfig.Service
			if s == nil || s.Namespace != names.MeshNamespace {
				continue
			}
			if err := bundleValid(w.ClientConfig.CABundle, l.Now()); err != nil {
				return fail("%s: %v", c.Name, err)
			}
			return pass("%s", c.Name)
		}
	}
	return fail("no webhook points to namespace %s: new pods get no proxy", names.MeshNamespace)
}

func bundleValid(bundle []byte, now time.Time) error {
	bundle = bytes.TrimSpace(bundle)
	if len(bundle) == 0 {
		return errors.New("no CA bundle")
	}
	block, _ := pem.Decode(bundle)
	if block == nil {
		return errors.New("the CA bundle is not PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if now.After(c.NotAfter) {
		return fmt.Errorf("the CA bundle expired on %s", c.NotAfter.Format(time.DateOnly))
	}
	return nil
}

func injection(ctx context.Context, l *Lab) Finding {
	list, err := l.kube.CoreV1().Pods(names.DevelopNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	var meshed int
	var without []string
	for i := range list.Items {
		p := &list.Items[i]
		switch {
		case isMeshed(p):
			meshed++
		case p.Annotations[names.InjectAnnotation] != "disabled":
			without = append(without, p.Name)
		}
	}
	switch {
	case len(without) > 0:
		return fail("without a proxy: %s", joinShort(without))
	case meshed == 0:
		return warn("no pod in namespace %s", names.DevelopNamespace)
	}
	return pass("%d pods", meshed)
}

func isMeshed(p *corev1.Pod) bool {
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if c.Name == names.ProxyContainer {
			return true
		}
	}
	return false
}

// mtls ignores kubelet's probes: they come from outside the mesh, and policy admits them.
func mtls(ctx context.Context, l *Lab) Finding {
	samples, err := l.prometheus.Query(ctx, `sum by (tls) (increase(request_total{namespace="`+names.DevelopNamespace+
		`",direction="inbound",route_name!="probe"}[10m]))`)
	if err != nil {
		return fail("%v", err)
	}
	var all, secured float64
	for _, s := range samples {
		all += s.Value
		if s.Labels["tls"] == "true" {
			secured += s.Value
		}
	}
	switch {
	case all == 0:
		return warn("no request in the last ten minutes")
	case secured < all:
		return warn("%s of %.0f requests in the last ten minutes", format.Percent(secured/all), all)
	}
	return pass("all of %.0f requests in the last ten minutes", all)
}
