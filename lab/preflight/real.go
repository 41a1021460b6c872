package preflight

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/portforward"
	"coalmine/lab/cluster/names"
)

// Docker is the real [Engine].
type Docker struct{}

// Ping implements [Engine].
func (Docker) Ping(ctx context.Context) (string, error) {
	e, err := kindcluster.Docker(ctx)
	return e.Version, err
}

// Memory implements [Engine].
func (Docker) Memory(ctx context.Context) (int64, error) {
	e, err := kindcluster.Docker(ctx)
	return e.Memory, err
}

// State implements [Engine].
func (Docker) State(ctx context.Context, cluster string) (kindcluster.State, error) {
	return kindcluster.New(cluster).State(ctx)
}

// Connect returns the configuration for a kind cluster.
func Connect(ctx context.Context, cluster string) (*rest.Config, error) {
	return kindcluster.New(cluster).RESTConfig(ctx)
}

// OverPortForward connects to the cluster's Prometheus through a port-forward.
func OverPortForward(ctx context.Context, c *rest.Config) (Prometheus, func(), error) {
	t, err := portforward.Open(ctx, c, names.VizNamespace, names.PrometheusService, names.PrometheusPort)
	if err != nil {
		return nil, nil, err
	}
	client, err := api.NewClient(api.Config{Address: t.URL()})
	if err != nil {
		t.Close()
		return nil, nil, err
	}
	return promQueries{promv1.NewAPI(client)}, func() { t.Close() }, nil
}

// promQueries queries Prometheus through its HTTP API.
type promQueries struct{ api promv1.API }

// Query implements [Prometheus].
func (q promQueries) Query(ctx context.Context, promQL string) ([]Sample, error) {
	value, _, _, err := q.api.Query(ctx, promQL, time.Time{})
	if err != nil {
		return nil, err
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the result of %s is a %s, not a vector", promQL, value.Type())
	}
	samples := make([]Sample, 0, len(vector))
	for _, s := range vector {
		labels := map[string]string{}
		for name, value := range s.Metric {
			labels[string(name)] = string(value)
		}
		samples = append(samples, Sample{labels, float64(s.Value)})
	}
	return samples, nil
}
