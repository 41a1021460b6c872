package flux

import (
	"time"

	"sigs.k8s.io/yaml"

	"coalmine/lab/cluster/kind/certs"
	"coalmine/lab/cluster/names"
)

// Trust returns a Secret with a new trust anchor and issuer, as values of the control plane's chart.
// It has the issuer's private key, so it is applied by hand and is no part of the repository.
func Trust(now time.Time) ([]byte, error) {
	chain, err := certs.New(now)
	if err != nil {
		return nil, err
	}
	values, err := yaml.Marshal(map[string]any{
		"identityTrustAnchorsPEM": string(chain.Roots),
		"identity": map[string]any{"issuer": map[string]any{"tls": map[string]any{
			"crtPEM": string(chain.IssuerCert), "keyPEM": string(chain.IssuerKey),
		}}},
	})
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{"name": TrustSecret, "namespace": names.MeshNamespace},
		"stringData": map[string]any{valuesKey: string(values)},
	})
}
