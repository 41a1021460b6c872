package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// sink takes what an executor tells: each attempt, and the same in vegeta's form (nil where nobody asked for it).
type sink struct {
	done func(*loadgen.Outcome)
	raw  func(*vegeta.Result)
}

// executor plays a plan and hands what became of it to a sink.
type executor func(ctx context.Context, to sink) (attack.Report, error)

// executor makes the one that the flags ask for. Nothing is sent yet, but for a look whether somebody listens.
func (env *Env) executor(ctx context.Context, job *loadJob, f loadFlags) (executor, error) {
	if f.simulated() {
		return job.simulated(f)
	}
	targets, err := targetURLs(job, f.targets)
	if err != nil {
		return nil, err
	}
	trust, err := env.trust(f.loadTargetFlags)
	if err != nil {
		return nil, err
	}
	a := attack.Attack{
		Plan: job.plan, Shard: job.shard, Targets: targets,
		Workers: f.workers, Connections: f.connections, Timeout: f.timeout, TLS: trust,
		Service: cmp.Or(f.service, job.released()), VersionHeader: f.versionHeader,
	}
	if err := attack.Reach(ctx, targets, trust); err != nil {
		return nil, err
	}
	return func(ctx context.Context, to sink) (attack.Report, error) {
		a.Done, a.Raw = to.done, to.raw
		return a.Run(ctx)
	}, nil
}

// targetURLs gives each route of the plan its server.
func targetURLs(job *loadJob, values []string) ([]*url.URL, error) {
	byService := map[string]*url.URL{}
	for _, value := range values {
		service, text := "", value
		if before, after, named := strings.Cut(value, "="); named && !strings.ContainsAny(before, ":/?") {
			service, text = before, after
		}
		u, err := targetURL(text)
		if err != nil {
			return nil, err
		}
		if byService[service] != nil {
			return nil, invalid("write each service once", "--target %s: a second URL for the same service", value)
		}
		byService[service] = u
	}
	return spread(job, byService)
}

// spread gives each route the URL of its service, or the one for all.
func spread(job *loadJob, byService map[string]*url.URL) ([]*url.URL, error) {
	known := map[string]bool{"": true}
	var targets []*url.URL
	for _, r := range job.plan.Routes() {
		service := cmp.Or(r.Service, job.entry())
		known[service] = true
		u := byService[service]
		if u == nil {
			u = byService[""]
		}
		if u == nil {
			return nil, invalid(fmt.Sprintf("add --target %s=URL, or --target URL for all services", cmp.Or(service, "SERVICE")),
				"route %s has no target", r.Name)
		}
		targets = append(targets, u)
	}
	for service := range byService {
		if !known[service] {
			return nil, invalid("name a service that the workload's routes ask", "--target: no route is for service %q", service)
		}
	}
	return targets, nil
}

func targetURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.RawQuery == "" && u.Fragment == "":
		return u, nil
	case text == simTarget:
		return nil, invalid("send to the modelled services, or to real ones", "--target sim stands beside other targets")
	case !strings.Contains(text, "://"):
		return nil, invalid("write http://"+strings.TrimPrefix(text, "//"), "--target %q is no URL", text)
	}
	return nil, invalid("write http://HOST:PORT or https://HOST:PORT, with a path before all routes if need be", "--target %q cannot be used", text)
}

// trust says which servers are believed.
func (env *Env) trust(f loadTargetFlags) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure}
	if f.ca == "" {
		return c, nil
	}
	data, err := os.ReadFile(env.path(f.ca))
	if err != nil {
		return nil, invalid("", "--ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(data) {
		return nil, invalid("write a file with certificates in PEM", "--ca %s: no certificate in it", f.ca)
	}
	return c, nil
}
