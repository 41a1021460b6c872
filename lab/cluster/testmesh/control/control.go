// Package control is the control plane of the test mesh. It signs the certificates of proxies,
// sends them the state of the cluster, and injects proxies into pods. Proxies make all decisions
// about requests, by package mesh.
//
// It replaces Linkerd's identity service, destination and policy controllers and proxy injector, as
// far as the demo services and learners' manifests need them. Linkerd's annotations have the same
// meaning here.
package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/testmesh/wire"
)

const (
	// coalesce is how long a change waits for others, so that the rollout of a Deployment causes a
	// few snapshots and not dozens.
	coalesce = 30 * time.Millisecond
	// retryAfter is the time before something that failed is tried again.
	retryAfter = time.Second
	// drainTimeout is how long requests in flight may take when the control plane stops.
	drainTimeout = 10 * time.Second
)

// Config configures a control plane.
type Config struct {
	Kubernetes kubernetes.Interface
	// Dynamic reads HTTPRoutes and policies.
	Dynamic dynamic.Interface
	// Image is the image of injected proxies.
	Image string
	// Secure is the listener for proxies and the API server (HTTPS), Admin that of /ready, /live
	// and /metrics (HTTP).
	Secure, Admin net.Listener
	Log           *slog.Logger
	Now           func() time.Time
}

// Control is a control plane.
type Control struct {
	cfg         Config
	trust       *trustStore
	cluster     *cluster
	rootsWriter *rootsWriter
	stream      *watchStream
	metrics     *metrics
	gather      prometheus.Gatherer
	// configChanged is notified when the snapshot may have changed, rootsChanged when trust roots
	// may be missing in a namespace.
	configChanged, rootsChanged notifier
	// ignored is what was last logged about objects that cannot be read.
	ignored string
}

// notifier wakes its receiver once for any number of notifications.
type notifier chan struct{}

func (b notifier) notify() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// New returns a control plane. It does nothing before [Control.Run].
func New(cfg Config) (*Control, error) {
	if cfg.Image == "" {
		return nil, errors.New("there is no image for proxies: set TESTMESH_IMAGE to the control plane's own")
	}
	reg := prometheus.NewRegistry()
	c := &Control{
		cfg: cfg, stream: newWatchStream(cfg.Now()), metrics: newMetrics(reg), gather: reg,
		configChanged: make(notifier, 1), rootsChanged: make(notifier, 1),
	}
	c.trust = &trustStore{log: cfg.Log, now: cfg.Now, changed: c.rootsChanged.notify}
	var err error
	c.cluster, err = newCluster(cfg.Kubernetes, cfg.Dynamic, c.trust.handler(), func() {
		c.configChanged.notify()
		c.rootsChanged.notify()
	})
	if err != nil {
		return nil, err
	}
	c.rootsWriter = &rootsWriter{client: cfg.Kubernetes, cluster: c.cluster, trust: c.trust, log: cfg.Log}
	return c, nil
}

// Run serves until the context ends, and returns nil then.
func (c *Control) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	secure := &http.Server{
		Handler: c.handler(), TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: c.trust.certificate},
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug),
	}
	admin := &http.Server{Handler: c.admin(), ReadHeaderTimeout: 10 * time.Second}
	ends := make(chan error, 2)
	go func() { ends <- admin.Serve(c.cfg.Admin) }()
	go func() { ends <- secure.ServeTLS(c.cfg.Secure, "", "") }()

	stopped := c.startLoops(ctx)
	var err error
	select {
	case <-ctx.Done():
		c.cfg.Log.Info("stopping")
	case err = <-ends:
		err = fmt.Errorf("serve: %w", err)
	}
	cancel()
	stopped()
	return errors.Join(err, shutdown(secure), shutdown(admin))
}

// startLoops watches the cluster until the context ends. The returned function waits for that and
// ends the requests of waiting proxies.
func (c *Control) startLoops(ctx context.Context) (stopped func()) {
	c.cluster.start(ctx)
	var loops sync.WaitGroup
	loops.Go(func() { c.publishLoop(ctx) })
	loops.Go(func() { c.rootsLoop(ctx) })
	return func() {
		loops.Wait()
		c.stream.end()
		c.cluster.stop()
	}
}

// shutdown lets a server finish its requests.
func shutdown(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return s.Shutdown(ctx)
}

func (c *Control) handler() http.Handler {
	reviewer := newReviewer(c.cfg.Kubernetes, c.cfg.Now)
	mux := http.NewServeMux()
	mux.Handle("POST "+wire.PathIdentity, &identityHandler{trust: c.trust, reviewer: reviewer, metrics: c.metrics,
		log: c.cfg.Log, now: c.cfg.Now})
	mux.Handle("GET "+wire.PathConfig, &configHandler{stream: c.stream, reviewer: reviewer, metrics: c.metrics,
		log: c.cfg.Log})
	mux.Handle("POST "+wire.PathInject, &injector{client: c.cfg.Kubernetes, image: c.cfg.Image, metrics: c.metrics,
		log: c.cfg.Log})
	return mux
}

func (c *Control) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.gather, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if why := c.notReady(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// notReady returns what the control plane is waiting for, "" when it is ready.
func (c *Control) notReady() string {
	if names := c.cluster.missing(); len(names) > 0 {
		return "not listed yet: " + strings.Join(names, ", ") + " (are their definitions installed, and may the " +
			"control plane read them?)"
	}
	if _, err := c.trust.current(); err != nil {
		return err.Error()
	}
	return ""
}

// publishLoop publishes a snapshot after changes. It waits until everything is listed, as proxies
// must not get a partial snapshot.
func (c *Control) publishLoop(ctx context.Context) {
	for len(c.cluster.missing()) > 0 {
		if backoff.Sleep(ctx, coalesce) != nil {
			return
		}
	}
	c.configChanged.notify()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.configChanged:
		}
		if backoff.Sleep(ctx, coalesce) != nil {
			return
		}
		if err := c.publish(); err != nil {
			c.cfg.Log.Error("cannot make a snapshot", "error", err)
			time.AfterFunc(retryAfter, c.configChanged.notify)
		}
	}
}

func (c *Control) publish() error {
	s, ignored, err := c.cluster.snapshot()
	if err != nil {
		return err
	}
	c.logIgnored(ignored)
	generation, fresh, err := c.stream.publish(s)
	if err != nil || !fresh {
		return err
	}
	c.metrics.generation.Set(float64(generation))
	c.cfg.Log.Debug("snapshot", "generation", generation, "services", len(s.Services), "pods", len(s.Pods), "routes",
		len(s.Routes))
	return nil
}

// logIgnored logs which objects cannot be read, whenever that changes.
func (c *Control) logIgnored(ignored []error) {
	c.metrics.ignored.Set(float64(len(ignored)))
	text := ""
	if err := errors.Join(ignored...); err != nil {
		text = err.Error()
	}
	if text != c.ignored && text != "" {
		c.cfg.Log.Warn("objects that cannot be read are ignored", "error", text)
	}
	c.ignored = text
}

// rootsLoop writes trust roots where they are missing, once namespaces and pods are listed.
func (c *Control) rootsLoop(ctx context.Context) {
	for len(c.cluster.missing()) > 0 {
		if backoff.Sleep(ctx, coalesce) != nil {
			return
		}
	}
	c.rootsChanged.notify()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.rootsChanged:
		}
		if err := c.rootsWriter.reconcile(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("cannot keep the trust roots", "error", err)
			time.AfterFunc(retryAfter, c.rootsChanged.notify)
		}
	}
}
