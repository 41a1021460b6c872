package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/traceheader"
)

// Responses, including errors, name the Deployment of the pod.
func TestWorkloadHeader(t *testing.T) {
	clock := newInstantClock(t)
	behind := config(t, "backend", constant(time.Millisecond), clock)
	behind.Deployment = "backend-primary"
	backend := start(t, behind)
	b := constant(time.Millisecond)
	r := b.Routes[""]
	r.Calls = "backend"
	b.Routes[""] = r
	front := config(t, "frontend", b, clock)
	front.Deployment, front.Upstreams = "frontend", map[string]*url.URL{"backend": backend.base()}
	x := start(t, front)
	for path, want := range map[string]string{"/": "frontend=frontend, backend=backend-primary",
		"/nowhere": "frontend=frontend"} {
		if a := x.ask("GET", path); a.header.Get(traceheader.WorkloadHeader) != want {
			t.Errorf("%s: %q", path, a.header.Get(traceheader.WorkloadHeader))
		}
	}
	front.Deployment = ""
	if a := start(t, front).ask("GET", "/"); a.header.Get(traceheader.WorkloadHeader) != "backend=backend-primary" {
		t.Errorf("a frontend without a Deployment: %q", a.header.Get(traceheader.WorkloadHeader))
	}
}

// Probes of a rollback drill learn which version would serve. They are not counted and no fault
// hits them.
func TestDrill(t *testing.T) {
	b := constant(time.Millisecond)
	b.Faults = []service.Fault{{Name: "all", Effect: service.Effect{Status: 500}}}
	c := config(t, "shop", b, newInstantClock(t))
	c.Deployment = "shop-primary"
	x := start(t, c)
	for range 3 {
		a := x.ask("GET", "/", traceheader.DrillHeader+": forward")
		if a.status != 200 || a.header.Get(traceheader.WorkloadHeader) != "shop=shop-primary" ||
			a.header.Get(traceheader.FaultHeader) != "" {
			t.Errorf("%+v", a)
		}
	}
	if got := x.metric("app_http_requests_total"); got != "none" {
		t.Errorf("requests are counted: %s", got)
	}
	b.StartUp = time.Hour
	if a := start(t, config(t, "shop", b, newInstantClock(t))).ask("GET", "/",
		traceheader.DrillHeader+": forward"); a.status != 503 {
		t.Errorf("before the service is ready: %d", a.status)
	}
}

func TestSetWeight(t *testing.T) {
	b := constant(time.Millisecond)
	b.Faults = []service.Fault{{Name: "much", When: service.When{Weight: 50}, Effect: service.Effect{Status: 503}}}
	c := config(t, "shop", b, newInstantClock(t))
	c.Weight = 10
	x := start(t, c)
	for _, w := range []struct {
		percent float64
		want    int
	}{{10, 200}, {50, 503}, {49, 200}, {0, 200}} {
		x.SetWeight(w.percent)
		if a := x.ask("GET", "/"); a.status != w.want {
			t.Errorf("at %g %%: %d", w.percent, a.status)
		}
	}
}

// OpsHandler serves the same as the server on the paths for operators, and nothing else.
func TestOpsHandler(t *testing.T) {
	x := start(t, config(t, "shop", constant(time.Millisecond), newInstantClock(t)))
	x.ask("GET", "/")
	for path, want := range map[string]string{
		"/metrics": `app_http_requests_total{cohort="unknown",route="home",status="200",version="v1"} 1`,
		"/healthz": "alive", "/readyz": "ready", "/": "404 page not found",
	} {
		beside := httptest.NewRecorder()
		x.OpsHandler().ServeHTTP(beside, httptest.NewRequest(http.MethodGet, path, nil))
		if !strings.Contains(beside.Body.String(), want) {
			t.Errorf("%s: %s", path, beside.Body)
		}
	}
}

// A probe for another service is forwarded, and the response names its workload.
func TestDrillIsForwarded(t *testing.T) {
	clock := newInstantClock(t)
	behind := config(t, "backend", constant(time.Millisecond), clock)
	behind.Deployment = "backend"
	backend := start(t, behind)
	front := config(t, "frontend", constant(time.Millisecond), clock)
	front.Upstreams = map[string]*url.URL{"backend": backend.base(), "payment": nil}
	x := start(t, front)
	ask := func(to string) response {
		return x.ask("GET", "/", traceheader.DrillHeader+": forward", traceheader.DrillToHeader+": "+to)
	}
	if a := ask("backend"); a.status != 200 || traceheader.Workload(a.header, "backend") != "backend" ||
		traceheader.Version(a.header, "backend") != "v1" {
		t.Errorf("%+v", a)
	}
	if a := ask("payment"); a.status != 502 || !strings.Contains(a.body, "does not call payment") {
		t.Errorf("%+v", a)
	}
	// Cycles of addresses end.
	front.Upstreams["payment"] = x.base()
	y := start(t, front)
	front.Upstreams["payment"] = y.base()
	if a := y.ask("GET", "/", traceheader.DrillHeader+": forward",
		traceheader.DrillToHeader+": payment"); a.status != 502 {
		t.Errorf("%+v", a)
	}
	if got := backend.metric("app_http_requests_total"); got != "none" {
		t.Errorf("requests are counted: %s", got)
	}
}
