package k8s

import (
	"fmt"
	"net"
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
		route := mesh.ProfileRoute{Name: r.Name, Method: r.Condition.Method, Retryable: r.IsRetryable}
		if r.Condition.PathRegex != "" {
			if route.Path, err = mesh.CompilePath(r.Condition.PathRegex); err != nil {
				return p, fmt.Errorf("route %s: %w", r.Name, err)
			}
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
		p.Targets = append(p.Targets, b)
	}
	if b := s.Spec.RetryBudget; b != nil {
		p.Budget.Ratio, p.Budget.MinPerSecond = float64(b.RetryRatio), float64(b.MinRetriesPerSecond)
		if p.Budget.TTL, err = time.ParseDuration(b.TTL); err != nil {
			return p, fmt.Errorf("retryBudget.ttl: %w", err)
		}
	}
	return p, nil
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
