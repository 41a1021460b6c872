package loadtest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/lab/cluster/deployment"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/input"
	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// sink receives each attempt, and the same in vegeta's form. raw may be nil.
type sink struct {
	done func(*loadgen.Outcome)
	raw  func(*vegeta.Result)
}

// maxDuration limits the time of a test on real servers. A log may span years.
const maxDuration = 24 * time.Hour

// executor plays the plan and passes the outcomes to a sink.
type executor func(ctx context.Context, to sink) (attack.Report, error)

// executor returns the executor that the options select. It sends nothing yet, but checks that
// servers are reachable.
func (t *Test) executor(ctx context.Context) (executor, error) {
	o := t.options.Target
	if o.Simulated() {
		return t.simulator()
	}
	if d := t.plan.Duration(); d > maxDuration {
		return nil, input.New("replay faster with --speed, or a part with --duration",
			"the log takes %v to replay; a test may take at most %v", d.Round(time.Second), maxDuration)
	}
	a, err := t.attack(ctx)
	if err != nil {
		return nil, err
	}
	if err := reach(ctx, a, o.Wait); err != nil {
		return nil, err
	}
	return func(ctx context.Context, to sink) (attack.Report, error) {
		a.Done, a.Raw = to.done, to.raw
		return a.Run(ctx)
	}, nil
}

// attack returns the attack on the targets, without what receives the outcomes.
func (t *Test) attack(ctx context.Context) (attack.Attack, error) {
	o := t.options.Target
	a := attack.Attack{
		Plan: t.plan, Shard: t.shard, Workers: o.Workers, Connections: o.Connections, Timeout: o.Timeout,
		HTTP2: o.HTTP2, NoKeepAlive: o.NoKeepAlive, Redirects: o.Redirects, Abort: o.Abort, Gauge: &t.gauge,
		Service: cmp.Or(o.Service, t.source.releasedService()), VersionHeader: o.VersionHeader,
	}
	var err error
	if a.Targets, err = t.targets(); err != nil {
		return a, err
	}
	if a.TLS, err = t.options.tlsConfig(ctx); err != nil {
		return a, err
	}
	if a.Addresses, err = addresses(o.ConnectTo); err != nil {
		return a, err
	}
	if o.Proxy != "" {
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Scheme != "http" || u.Hostname() == "" {
			return a, input.New("write http://HOST:PORT", "--proxy %q cannot be used", o.Proxy)
		}
		a.Proxy = http.ProxyURL(u)
	}
	return a, nil
}

// simulator returns an executor that plays the plan against the simulated services of the scenario,
// in virtual time.
func (t *Test) simulator() (executor, error) {
	s := t.source.scenario
	switch {
	case s == nil:
		return nil, input.New("name a scenario, or send to real servers",
			"--target sim: %s has no services to simulate", t.source.name)
	case t.options.Output.Results != "":
		return nil, input.New("remove it, or send to real servers",
			"--results does not apply to --target sim, which does not use vegeta")
	}
	versions := map[string]string{}
	if text := t.options.Target.Version; text != "" {
		version, err := deployment.FindVersion(s, s.Released(), text)
		if err != nil {
			return nil, err
		}
		versions[s.Release.Service] = version
	}
	return func(ctx context.Context, to sink) (attack.Report, error) {
		r, err := sim.Load{Scenario: s, Plan: t.plan, Shard: t.shard, Versions: versions, OnAttempt: to.done}.Run(ctx)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("simulate: %w", err)
		}
		return attack.Report{Elapsed: r.Elapsed, Arrivals: r.Arrivals, Attempts: r.Attempts}, err
	}, nil
}

// targets returns the base URL of each route of the plan.
func (t *Test) targets() ([]*url.URL, error) {
	byService := map[string]*url.URL{}
	for _, value := range t.options.Target.URLs {
		service, text := "", value
		if before, after, named := strings.Cut(value, "="); named && !strings.ContainsAny(before, ":/?") {
			service, text = before, after
		}
		u, err := ParseTarget(text)
		if err != nil {
			return nil, err
		}
		if byService[service] != nil {
			return nil, input.New("write each service once", "--target %s: a second URL for the same service", value)
		}
		byService[service] = u
	}
	return t.assignTargets(byService)
}

// assignTargets gives each route the URL of its service, or the one for all services.
func (t *Test) assignTargets(byService map[string]*url.URL) ([]*url.URL, error) {
	known := map[string]bool{"": true}
	var targets []*url.URL
	for _, r := range t.plan.Routes() {
		service := cmp.Or(r.Service, t.source.defaultService())
		known[service] = true
		u := cmp.Or(byService[service], byService[""])
		if u == nil {
			hint := fmt.Sprintf("add --target %s=URL, or --target URL for all services", cmp.Or(service, "SERVICE"))
			return nil, input.New(hint, "route %s has no target", r.Name)
		}
		targets = append(targets, u)
	}
	for service := range byService {
		if !known[service] {
			return nil, input.New("name a service of the workload's routes",
				"--target: no route belongs to service %q", service)
		}
	}
	return targets, nil
}

// ParseTarget parses the URL of --target.
func ParseTarget(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && u.Port() != "" {
		if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return nil, input.New("write a port from 1 to 65535", "--target %q has an invalid port", text)
		}
	}
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.RawQuery == "" &&
		u.Fragment == "":
		return u, nil
	case text == Simulator:
		return nil, input.New("send either to the simulated services or to real ones",
			"--target sim cannot be combined with other targets")
	case strings.HasPrefix(text, "unix:") || strings.HasPrefix(text, "http+unix:"):
		return nil, input.New("write --target http://NAME --connect-to NAME:80=unix:/path/of/the/socket",
			"--target %q is the address of a socket, not a URL", text)
	case !strings.Contains(text, "://"):
		return nil, input.New("write http://"+strings.TrimPrefix(text, "//"), "--target %q is not a URL", text)
	}
	return nil, input.New("write http://HOST:PORT or https://HOST:PORT, optionally with a path to prepend to "+
		"all routes",
		"--target %q cannot be used", text)
}
