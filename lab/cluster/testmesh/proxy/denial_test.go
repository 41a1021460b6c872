package proxy

import (
	"net/http"
	"testing"

	"coalmine/loadgen/traceheader"
)

// TestDenialsNameTheWorkload: a denial names the workload if its pod has the labels of a demo
// service.
func TestDenialsNameTheWorkload(t *testing.T) {
	for _, c := range []struct {
		labels            map[string]string
		version, workload string
	}{
		{map[string]string{"app": "backend", "version": "v2"}, "v2", "backend"},
		{map[string]string{"app": "backend-primary", "version": "v1"}, "v1", "backend-primary"},
		{map[string]string{"app": "backend"}, "", ""},
		{nil, "", ""},
	} {
		h := withWorkloadHeaders(synthetic(&http.Request{}, http.StatusForbidden, "no"), c.labels).Header
		if v, w := traceheader.Version(h, "backend"), traceheader.Workload(h, "backend"); v != c.version ||
			w != c.workload {
			t.Errorf("%v: version %q of workload %q", c.labels, v, w)
		}
	}
}
