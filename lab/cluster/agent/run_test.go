package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	flaggerfake "github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/agent/trafficpod"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
	"coalmine/lab/run/runtest"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/lab/service/server"
	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// shop is the scenario hidden-segment, shortened, with a second client that sends the premium
// users' requests.
func shop(t testing.TB) *scenario.Scenario {
	t.Helper()
	s := runtest.RunSpec(t, "hidden-segment", "", "v2", 1).Scenario
	s.Timing = scenario.Timing{Baseline: 500 * time.Millisecond, Horizon: 1500 * time.Millisecond}
	s.Traffic.Rate = loadgen.Curve{Constant: 300}
	s.Clients = append(s.Clients, scenario.Client{Name: "lounge", Replicas: 1},
		scenario.Client{Name: "idle", Replicas: 1})
	for i := range s.Traffic.Cohorts {
		if c := &s.Traffic.Cohorts[i]; c.Name == "premium" {
			c.Client = "lounge"
		}
	}
	for i := range s.Services {
		for name, v := range s.Services[i].Versions {
			v.Behaviour.StartUp = 0
			s.Services[i].Versions[name] = v
		}
	}
	return s
}

// pods serves the services of a scenario at versions, each as a Deployment of its name.
func pods(t testing.TB, s *scenario.Scenario, seed uint64, versions map[string]string) map[string]*url.URL {
	t.Helper()
	plan, err := loadgen.NewPlan(s.Traffic, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	clock, err := server.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clock.Close() })
	handlers, addresses := map[string]*http.Handler{}, map[string]*url.URL{}
	for _, svc := range s.Services {
		h := new(http.Handler)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			(*h).ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		handlers[svc.Name], addresses[svc.Name] = h, parse(t, server.URL)
	}
	for _, svc := range s.Services {
		version := svc.Baseline
		if v, ok := versions[svc.Name]; ok {
			version = v
		}
		w := plan.Workload()
		server, err := server.New(server.Config{
			Service: svc.Name, Version: s.NeutralVersion(svc.Name, version, seed), Deployment: svc.Name, Workload: &w,
			Clock: clock, Upstreams: addresses,
			Model: services.Compiler(svc.Versions[version].Behaviour, services.Vocabulary(plan), svc.Name),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		*handlers[svc.Name] = server
	}
	return addresses
}

func parse(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// fakes is an API server with some objects.
func fakes(objects ...runtime.Object) agent.Clients {
	list := map[schema.GroupVersionResource]string{}
	for version, names := range map[string][]string{"v1beta3": {"servers", "httproutes"},
		"v1alpha1": {"authorizationpolicies", "meshtlsauthentications", "networkauthentications"}} {
		for _, name := range names {
			list[schema.GroupVersionResource{Group: "policy.linkerd.io", Version: version, Resource: name}] = name +
				"List"
		}
	}
	return agent.Clients{
		Kube: fake.NewSimpleClientset(objects...), Flagger: flaggerfake.NewSimpleClientset(),
		Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), list),
	}
}

// servedAgent is an agent behind HTTP servers.
type servedAgent struct {
	*agent.Agent
	t     testing.TB
	url   string
	gates string
}

func open(t testing.TB, c agent.Config) *servedAgent {
	t.Helper()
	if c.Prometheus == "" {
		c.Prometheus = "http://127.0.0.1:1"
	}
	if c.Clients.Kube == nil {
		c.Clients = fakes()
	}
	a, err := agent.New(c)
	if err != nil {
		t.Fatal(err)
	}
	own, gates := httptest.NewServer(a.Handler()), httptest.NewServer(a.GateHandler())
	t.Cleanup(gates.Close)
	t.Cleanup(own.Close)
	t.Cleanup(own.CloseClientConnections) // streams stay open
	return &servedAgent{Agent: a, t: t, url: own.URL, gates: gates.URL}
}

// facts returns the facts recorded so far.
func (s *servedAgent) facts() []event.Fact {
	s.t.Helper()
	var list []event.Fact
	last := s.Status().Facts
	if last == 0 {
		return nil
	}
	c := &client.Agent{Base: s.url}
	err := client.Follow(s.t.Context(), c.Facts, func(f client.Fact) error {
		fact, err := event.DecodeFact(f.Kind, f.Data)
		list = append(list, fact)
		if err == nil && f.N == last {
			err = io.EOF
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// begin starts the traffic as soon as all traffic pods are there.
func (s *servedAgent) begin() client.Start {
	s.t.Helper()
	c := &client.Agent{Base: s.url}
	for {
		now := time.Now()
		start := client.Start{Zero: now.Add(-time.Minute).UnixNano(), Begin: now.Add(400 * time.Millisecond).UnixNano()}
		err := c.Start(s.t.Context(), start)
		var refused *client.StatusError
		switch {
		case err == nil:
			return start
		case !errors.As(err, &refused) || refused.Status != http.StatusConflict:
			s.t.Fatal(err)
		}
	}
}

// podGroup is running traffic pods.
type podGroup struct {
	sync.WaitGroup
	errs []error
}

// send starts the traffic pods of a run, each with a transport of its own to the agent.
func (s *servedAgent) send(ctx context.Context, sc *scenario.Scenario, seed uint64, counts map[string]int,
	targets map[string]*url.URL, transport func() http.RoundTripper) *podGroup {
	c := &podGroup{}
	for name, n := range counts {
		for i := range n {
			at := len(c.errs)
			c.errs = append(c.errs, nil)
			config := trafficpod.Config{
				Scenario: sc, Spec: client.RunSpec{Version: "v2", Seed: seed},
				Pod:   client.TrafficPod{Client: name, Index: i + 1, Count: n, Process: fmt.Sprint(name, i)},
				Agent: &client.Agent{Base: s.url, Transport: transport()}, Targets: targets,
			}
			c.Go(func() {
				if err := trafficpod.Run(ctx, config); err != nil {
					c.errs[at] = err
				}
			})
		}
	}
	return c
}

// count is what does not depend on the speed of the machine.
type count struct{ N, Retried, Errors, Denied, Limited, Wrong, Hit int }

func (c *count) add(x event.Cell) {
	c.N += x.N
	c.Retried += x.Retried
	c.Errors += x.Errors
	c.Denied += x.Denied
	c.Limited += x.Limited
	c.Wrong += x.Wrong
	c.Hit += x.Hit
}

type counts map[[4]string]count

func (c counts) add(t event.Traffic) {
	for _, x := range t.Cells {
		key := [4]string{x.Cohort, x.Route, x.Workload, x.Version}
		n := c[key]
		n.add(x)
		c[key] = n
	}
}

// virtually sends the same plan in virtual time.
func virtually(t testing.TB, s *scenario.Scenario, seed uint64, versions map[string]string) (counts,
	event.TrafficTotals) {
	t.Helper()
	plan, err := loadgen.NewPlan(s.Traffic, seed, s.Timing.Baseline+s.Timing.Horizon)
	if err != nil {
		t.Fatal(err)
	}
	want := counts{}
	a := trafficstats.NewAttempts(trafficstats.AttemptsConfig{Plan: plan, Service: s.Release.Service, Emit: want.add})
	a.MarkRollout()
	report, err := sim.Load{Scenario: s, Plan: plan, Versions: versions, OnAttempt: func(o *loadgen.Outcome) {
		a.MarkHit(o)
		a.Add(o)
	}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return want, a.End(report.Elapsed, report.Arrivals)
}

// lossy loses and repeats requests and loses responses, by a seed. From the second to the fifth
// request nothing gets through, which takes over a second, so that a report has more than one
// second of traffic.
type lossy struct {
	t    testing.TB
	next http.RoundTripper

	mu    sync.Mutex
	draws rng.Stream
	n     uint64
}

func (l *lossy) draw() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	if 2 <= l.n && l.n <= 5 {
		return 0
	}
	return rng.Below(l.draws.Bits(l.n), 6)
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/report") {
		return l.next.RoundTrip(r)
	}
	switch l.draw() {
	case 0:
		return nil, errors.New("lost on the way")
	case 1:
		if resp, err := l.next.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
		return nil, errors.New("the answer was lost")
	case 2:
		again := r.Clone(r.Context())
		again.Body, _ = r.GetBody()
		if resp, err := l.next.RoundTrip(again); err == nil {
			resp.Body.Close()
		}
	}
	return l.next.RoundTrip(r)
}

// TestPodsAddUpToOneLoad: traffic pods of several clients, over connections that lose and repeat
// reports, have the same counts as one load of the same plan.
func TestPodsAddUpToOneLoad(t *testing.T) {
	const seed = 7
	s, versions := shop(t), map[string]string{"backend": "v2"}
	spec := client.RunSpec{Version: "v2", Seed: seed, TrafficPods: map[string]int{"edge": 3, "lounge": 1, "idle": 1}}
	a := open(t, agent.Config{Scenario: s, Spec: spec})
	lines := uint64(0)
	group := a.send(t.Context(), s, seed, spec.TrafficPods, pods(t, s, seed, versions), func() http.RoundTripper {
		lines++
		return &lossy{t: t, next: http.DefaultTransport, draws: rng.New(lines, "lossy")}
	})
	start := a.begin()
	c := &client.Agent{Base: a.url}
	if err := c.Release(t.Context(), client.Release{At: start.Begin}); err != nil {
		t.Fatal(err)
	}
	end := time.Unix(0, start.Begin).Add(s.Timing.Baseline + s.Timing.Horizon + 2200*time.Millisecond)
	status, err := c.Stop(t.Context(), client.Stop{At: end.UnixNano()})
	if err != nil || status.Fault != "" || status.Done != 5 || status.Ready != 0 {
		t.Fatalf("%+v, %v", status, err)
	}
	group.Wait()
	if err := errors.Join(group.errs...); err != nil {
		t.Error(err)
	}
	got, totals := read(t, a.facts(), start, s)
	want, wantTotals := virtually(t, s, seed, versions)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-load +pods):\n%s", diff)
	}
	wantTotals.Hurt, totals.Hurt = nil, nil // users are hurt by slowness, too
	if diff := cmp.Diff(wantTotals, totals); diff != "" {
		t.Errorf("totals (-load +pods):\n%s", diff)
	}
}

// trafficFacts splits an agent's facts of traffic and checks their form as the sim's.
func read(t testing.TB, facts []event.Fact, start client.Start, s *scenario.Scenario) (counts, event.TrafficTotals) {
	t.Helper()
	got, last, hurt := counts{}, time.Duration(start.Begin-start.Zero), 0
	var totals *event.TrafficTotals
	for _, f := range facts {
		switch f := f.(type) {
		case event.Traffic:
			from, to := time.Duration(f.From), time.Duration(f.To)
			if from < last.Truncate(time.Microsecond) || to <= from || to > from+time.Second || f.HurtSoFar < hurt ||
				totals != nil {
				t.Errorf("a second from %v to %v after %v, %d hurt", from, to, last, f.HurtSoFar)
			}
			last, hurt = to, f.HurtSoFar
			got.add(f)
		case event.TrafficTotals:
			totals = &f
		}
	}
	if totals == nil {
		t.Fatal("there are no totals")
	}
	sum := 0
	for n := range maps.Values(totals.Hurt) {
		sum += n
	}
	if sum != hurt {
		t.Errorf("%d users were hurt up to the last second, %d in all", hurt, sum)
	}
	return got, *totals
}

// TestPodThatDies: a traffic pod that is deleted leaves a fault and no totals.
func TestPodThatDies(t *testing.T) {
	s := shop(t)
	spec := client.RunSpec{Seed: 1, TrafficPods: map[string]int{"edge": 1, "lounge": 1}}
	a := open(t, agent.Config{Scenario: s, Spec: spec})
	targets := pods(t, s, 1, nil)
	doomed, evict := context.WithCancelCause(t.Context())
	one := a.send(doomed, s, 1, map[string]int{"edge": 1}, targets, func() http.RoundTripper {
		return http.DefaultTransport
	})
	other := a.send(t.Context(), s, 1, map[string]int{"lounge": 1}, targets, func() http.RoundTripper {
		return http.DefaultTransport
	})
	start := a.begin()
	c := &client.Agent{Base: a.url}
	err := client.Follow(t.Context(), c.Facts, func(client.Fact) error { return io.EOF }) // a second was reported
	if err != nil {
		t.Fatal(err)
	}
	evict(errors.New("evicted"))
	one.Wait()
	if err := errors.Join(one.errs...); err == nil || !strings.Contains(err.Error(), "evicted") {
		t.Errorf("the pod's error: %v", err)
	}
	status, err := c.Stop(t.Context(), client.Stop{At: start.Begin + int64(2*time.Second)})
	if err != nil || !strings.Contains(status.Fault, "edge 1/1: evicted") {
		t.Errorf("%+v, %v", status, err)
	}
	other.Wait()
	for _, f := range a.facts() {
		if _, ok := f.(event.TrafficTotals); ok {
			t.Error("there are totals")
		}
	}
}

// TestFactsForEveryReader: a reader that follows from the start and a late one get the same facts.
func TestFactsForEveryReader(t *testing.T) {
	a := open(t, agent.Config{Scenario: shop(t)})
	seen := make(chan client.Fact)
	go func() {
		c := &client.Agent{Base: a.url}
		// it ends with the test
		_ = client.Follow(t.Context(), c.Facts, func(f client.Fact) error { seen <- f; return nil })
	}()
	for n := 1; n <= 3; n++ {
		post(t, a.gates+"/alerts/on-call",
			`{"attachments":[{"color":"danger","author_name":"backend.develop","text":"no at http://gate.coalmine/hooks/backend/rollout/mtls"}]}`)
		if f := <-seen; f.N != n || f.Kind != event.KindAlert {
			t.Errorf("%+v", f)
		}
	}
	want := event.Alert{Canary: "backend", Provider: "on-call", Severity: "error",
		Message: "no at http://gate.coalmine/mtls"}
	for _, f := range a.facts() {
		if diff := cmp.Diff(event.Fact(want), f); diff != "" {
			t.Error(diff)
		}
	}
}

// post posts JSON and returns the status and text of the response.
func post(t testing.TB, address, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}
