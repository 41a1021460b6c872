package k8s

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
)

// Profile converts a ServiceProfile, whose name is the FQDN of its Service.
func Profile(s *guardrail.ServiceProfile) (mesh.Profile, error) {
	service, namespace, err := serviceName(s.Name)
	if err != nil {
		return mesh.Profile{}, err
	}
	p := mesh.Profile{Service: service, Namespace: namespace, Budget: mesh.DefaultRetryBudget()}
	for _, r := range s.Spec.Routes {
		route := mesh.ProfileRoute{Name: r.Name, Retryable: r.IsRetryable, Failure: failure(r.ResponseClasses)}
		if route.Matches, err = profileMatch(&r.Condition); err != nil {
			return p, fmt.Errorf("route %s: %w", r.Name, err)
		}
		if r.Timeout != "" {
			if route.Timeout, err = time.ParseDuration(r.Timeout); err != nil {
				return p, fmt.Errorf("route %s: timeout: %w", r.Name, err)
			}
		}
		p.Routes = append(p.Routes, route)
	}
	for _, o := range s.Spec.DstOverrides {
		b, err := target(o)
		if err != nil {
			return p, err
		}
		if b.Weight > 0 { // the proxy leaves the others out
			p.Targets = append(p.Targets, b)
		}
	}
	if b := s.Spec.RetryBudget; b != nil {
		p.Budget.Ratio, p.Budget.MinPerSecond = float64(b.RetryRatio), float64(b.MinRetriesPerSecond)
		if p.Budget.TTL, err = time.ParseDuration(b.TTL); err != nil {
			return p, fmt.Errorf("retryBudget.ttl: %w", err)
		}
	}
	if !p.Budget.Valid() {
		for i := range p.Routes {
			p.Routes[i].Retryable = false
		}
	}
	return p, nil
}

// profileMatch converts a condition on requests, all of whose fields must hold (linkerd2,
// controller/api/destination/profile_translator.go, toRequestMatch). What the API server accepts as
// not, a list, the destination controller cannot read.
func profileMatch(m *guardrail.ProfileMatch) (func(*mesh.Request) bool, error) {
	var all []func(*mesh.Request) bool
	if m.Method != "" {
		all = append(all, func(r *mesh.Request) bool { return strings.EqualFold(m.Method, r.Method) })
	}
	if m.PathRegex != "" {
		path, err := mesh.MatchPath(m.PathRegex)
		if err != nil {
			return nil, err
		}
		all = append(all, path)
	}
	below, err := profileMatches(m.All)
	if err != nil {
		return nil, err
	}
	all = append(all, below...)
	some, err := profileMatches(m.Any)
	if err != nil {
		return nil, err
	}
	return func(r *mesh.Request) bool {
		holds := func(c func(*mesh.Request) bool) bool { return c(r) }
		return (m.Any == nil || slices.ContainsFunc(some, holds)) &&
			!slices.ContainsFunc(all, func(c func(*mesh.Request) bool) bool { return !c(r) })
	}, nil
}

func profileMatches(list []guardrail.ProfileMatch) ([]func(*mesh.Request) bool, error) {
	var converted []func(*mesh.Request) bool
	for i := range list {
		c, err := profileMatch(&list[i])
		if err != nil {
			return nil, err
		}
		converted = append(converted, c)
	}
	return converted, nil
}

// failure returns the classification of statuses by the first class that matches, or nil without any.
func failure(classes []guardrail.ProfileResponseClass) func(status int) bool {
	if len(classes) == 0 {
		return nil
	}
	return func(status int) bool {
		for i := range classes {
			if responseMatch(&classes[i].Condition, status) {
				return classes[i].IsFailure
			}
		}
		return mesh.Classify(status) == "failure"
	}
}

func responseMatch(m *guardrail.ProfileResponseMatch, status int) bool {
	holds := func(m guardrail.ProfileResponseMatch) bool { return responseMatch(&m, status) }
	fails := func(m guardrail.ProfileResponseMatch) bool { return !holds(m) }
	return (m.Status == nil || inRange(m.Status, status)) && !slices.ContainsFunc(m.All, fails) &&
		(m.Any == nil || slices.ContainsFunc(m.Any, holds)) && (m.Not == nil || fails(*m.Not))
}

// inRange reports whether a status is in a range. The proxy ignores a range without both bounds
// (linkerd2-proxy, linkerd/service-profiles/src/proto.rs, convert_rsp_match).
func inRange(r *guardrail.ProfileStatusRange, status int) bool {
	return r.Min > 0 && status >= int(r.Min) && status <= int(r.Max)
}

func target(o guardrail.WeightedDst) (mesh.Backend, error) {
	host, rawPort, err := net.SplitHostPort(o.Authority)
	if err != nil {
		host, rawPort = o.Authority, "80"
	}
	service, namespace, err := serviceName(host)
	if err != nil {
		return mesh.Backend{}, fmt.Errorf("dstOverrides: %w", err)
	}
	port, errPort := strconv.Atoi(rawPort)
	weight, errWeight := strconv.Atoi(o.Weight.String())
	if errPort != nil || errWeight != nil {
		return mesh.Backend{}, fmt.Errorf("dstOverrides: %s, weight %s: write numbers", o.Authority, &o.Weight)
	}
	return mesh.Backend{Service: service, Namespace: namespace, Port: port, Weight: weight}, nil
}

// serviceName splits the FQDN of a Service.
func serviceName(fqdn string) (service, namespace string, err error) {
	parts := strings.Split(fqdn, ".")
	if len(parts) < 3 || parts[2] != "svc" {
		return "", "", fmt.Errorf("%q is not the full name of a Service: write it as service.namespace.svc.%s", fqdn,
			mesh.TrustDomain)
	}
	return parts[0], parts[1], nil
}
