package dataplane

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// Config configures a plane.
type Config struct {
	// Plan is the traffic. Its workload names the routes, the cohorts and the Services that they
	// call.
	Plan *loadgen.Plan
	// Clients send the traffic. A cohort without a client uses the first.
	Clients []Client
	Seed    uint64
	// Objective returns the latency from which a response on a route counts as slow, or 0 for none.
	// It may be nil.
	Objective func(route string) time.Duration
	// Service is the demo service that is released, Baseline its version before the release.
	Service, Baseline string
	// Namespace is that of all Services.
	Namespace string
	// DefaultService receives routes without a Service; "" means Service.
	DefaultService string
	// Start is the wall time at time 0, for the expiry of certificates.
	Start time.Time
	// CertificateLife is that of the proxies' certificates; 0 is the default of an installation.
	CertificateLife time.Duration
	// IdentityDownAfter is when the identity service goes away, from the start of traffic on; 0 is
	// never.
	IdentityDownAfter time.Duration
	// IssuerLife is the life of the issuer of certificates that the release brings, from the release
	// on; 0 if it brings none.
	IssuerLife time.Duration
	// Shard is the part of the plan to play; the zero value is all of it.
	Shard loadgen.Shard
	// ColdProxies lets proxies look up the backends of a route when they first send to its Service. A
	// Service without endpoints, like that of a canary before its release, is then unknown to them
	// for a while after it gets some; see [mesh.Lookup]. Otherwise they know every Service.
	ColdProxies bool
	// OnAttempt, if set, is called for each attempt at a user's request, in the order in which they
	// end. The outcome is reused after the call.
	OnAttempt func(*loadgen.Outcome)
}

// Client is a workload that sends users' requests.
type Client struct {
	Name           string
	Namespace      string
	ServiceAccount string
	// Replicas is the number of its pods; 0 means 1.
	Replicas int
	// Unmeshed clients have no proxy: no routing and no identity.
	Unmeshed bool
}

// Pod is a pod of a demo service.
type Pod struct {
	Name, Namespace string
	// Deployment owns the pod; it is the value of the label deployment.
	Deployment          string
	Labels, Annotations map[string]string
	ServiceAccount      string
	// Service is the demo service in the pod (and the label job of its own metrics). Version is its
	// version for cells, VersionLabel that in its metrics.
	Service, Version, VersionLabel string
	// Workload is the name of the pod's Deployment in cells; see [event.Cell].
	Workload string
	Addr     netip.Addr
	// Port is the container's port, Ports are its named ports.
	Port  int
	Ports map[string]int
	// ProbePath is the path of the kubelet's readiness probe on Port, or "" if it does not probe
	// that port. It is open to GET until an HTTPRoute belongs to the port's Server.
	ProbePath string
	Model     *service.Model
	Meshed    bool
}

// Service is a Kubernetes Service.
type Service struct {
	Name, Namespace string
	Selector        map[string]string
	Port            int
	// TargetPort is the port of the pods; 0 is the one that they listen on. Requests to any other
	// port are answered 502.
	TargetPort int
	// Policy is what the Service says to its clients' proxies.
	Policy mesh.ServicePolicy
}

// New returns a plane at time 0, without pods and Services.
func New(c Config) (*Plane, error) {
	if c.Plan == nil || len(c.Clients) == 0 {
		return nil, errors.New("dataplane: a plan and at least one client are needed")
	}
	if c.DefaultService == "" {
		c.DefaultService = c.Service
	}
	c.CertificateLife = cmp.Or(c.CertificateLife, mesh.CertificateLife)
	p := &Plane{
		cfg:         c,
		workload:    c.Plan.Workload(),
		registry:    mesh.NewRegistry(),
		nextArrival: never,
		podsByName:  map[string]*pod{},
		services:    map[serviceKey]*meshService{},
		table:       &mesh.Table{},
		jars:        map[uint32][]cookie{},
		routing:     rng.New(c.Seed, "dataplane/route"),
		choosing:    rng.New(c.Seed, "dataplane/endpoint"),
		clients:     rng.New(c.Seed, "dataplane/client"),
		breaking:    rng.New(c.Seed, "dataplane/breaker"),
		backingOff:  rng.New(c.Seed, "dataplane/backoff"),
		lookingUp:   rng.New(c.Seed, "dataplane/lookup"),
	}
	p.newStats()
	p.newRoutes()
	return p, p.newCohorts()
}

// newRoutes resolves the workload's routes.
func (p *Plane) newRoutes() {
	for _, r := range p.workload.Routes {
		name := r.Service
		if name == "" {
			name = p.cfg.DefaultService
		}
		method := r.Method
		if method == "" {
			method = "GET"
		}
		path, query := splitPath(r.Path)
		p.templates = append(p.templates, requestTemplate{method: method, path: path, query: query,
			service: p.service(p.cfg.Namespace, name)})
	}
}

// newCohorts makes the client pods and assigns each cohort its client.
func (p *Plane) newCohorts() error {
	pods := map[string][]*pod{}
	for i, c := range p.cfg.Clients {
		for j := range max(c.Replicas, 1) {
			addr := netip.AddrFrom4([4]byte{10, 43, byte(i), byte(j + 1)})
			pods[c.Name] = append(pods[c.Name], p.addPod(clientPod(c, j, addr), false))
		}
	}
	for i, c := range p.workload.Cohorts {
		name := c.Client
		if name == "" {
			name = p.cfg.Clients[0].Name
		}
		if pods[name] == nil {
			return fmt.Errorf("dataplane: cohort %q has client %q, which is not among the clients", c.Name, name)
		}
		p.cohorts = append(p.cohorts, p.newCohort(uint16(i), pods[name]))
	}
	return nil
}

func clientPod(c Client, n int, addr netip.Addr) Pod {
	account := c.ServiceAccount
	if account == "" {
		account = c.Name
	}
	return Pod{
		Name: fmt.Sprintf("%s-%d", c.Name, n), Namespace: c.Namespace, Deployment: c.Name, ServiceAccount: account,
		Labels: map[string]string{"app": c.Name}, Addr: addr, Meshed: !c.Unmeshed,
	}
}
