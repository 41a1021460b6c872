// Package series knows the time series that the lab's Prometheus has, and those of other meshes and
// ingresses that people ask for.
package series

import (
	"slices"
	"strings"

	"coalmine/lab/input/spelling"
)

// Family describes series of one name: what Linkerd's proxies, the services and Flagger export.
type Family struct {
	Name string
	// Counter is false for gauges, which are read as they are.
	Counter bool
	// Histogram families have the suffixes _bucket, _sum and _count.
	Histogram bool
	Labels    []string
}

// Labels that several families share. Sources: linkerd2-proxy, linkerd/app/core/src/metrics.rs, and
// what was recorded on edge-26.8.3; a test compares with the mesh model.
func targetLabels() []string {
	return strings.Fields(`direction target_addr target_ip target_port tls no_tls_reason client_id server_id authority
		srv_group srv_kind srv_name srv_port route_group route_kind route_name route_namespace
		authz_group authz_kind authz_name dst_deployment dst_namespace dst_pod dst_pod_template_hash dst_service
		dst_serviceaccount dst_zone_locality dst_control_plane_ns dst_daemonset dst_statefulset`)
}

func routeLabels() []string {
	return strings.Fields(`parent_group parent_kind parent_namespace parent_name parent_port parent_section_name
		route_group route_kind route_namespace route_name`)
}

// Families returns what is exported.
func Families() []Family {
	target, route := targetLabels(), routeLabels()
	backend := slices.Concat(route, strings.Fields(`backend_group backend_kind backend_namespace backend_name
		backend_port`))
	count := func(name string, labels []string, more ...string) Family {
		return Family{Name: name, Counter: true, Labels: slices.Concat(labels, more)}
	}
	timing := func(name string, labels []string, more ...string) Family {
		return Family{Name: name, Histogram: true, Labels: slices.Concat(labels, more)}
	}
	gauge := func(name string, labels ...string) Family { return Family{Name: name, Labels: labels} }
	const outbound = "outbound_http_route_"
	return []Family{
		count("request_total", target),
		count("response_total", target, "status_code", "classification", "error", "grpc_status"),
		timing("response_latency_ms", target, "status_code"),
		count("inbound_http_authz_allow_total", target),
		count("inbound_http_authz_deny_total", target),
		count("inbound_http_route_not_found_total", target),
		count("inbound_http_errors_total", target, "error"),
		count("inbound_http_local_ratelimit_total", target, "ratelimit_group", "ratelimit_kind", "ratelimit_name",
			"ratelimit_scope"),
		count("inbound_http_requests_total", route),
		count("inbound_http_statuses_total", route, "status"),
		timing("inbound_http_request_duration_seconds", route),
		timing("inbound_http_response_duration_seconds", route),
		count("outbound_http_errors_total", nil, "error"),
		count(outbound+"request_statuses_total", route, "http_status", "error"),
		timing(outbound+"request_duration_seconds", route),
		count(outbound+"retry_requests_total", route),
		count(outbound+"retry_successes_total", route),
		count(outbound+"retry_limit_exceeded_total", route),
		count(outbound+"backend_requests_total", backend),
		count(outbound+"backend_response_statuses_total", backend, "http_status", "error"),
		timing(outbound+"backend_response_duration_seconds", backend),
		gauge("control_identity_cert_expiration_timestamp_seconds"),
		count("app_http_requests_total", nil, "status", "route", "cohort"),
		timing("app_http_request_duration_seconds", nil, "route", "cohort"),
		gauge("flagger_info", "version", "mesh_provider"),
		gauge("flagger_canary_total"), gauge("flagger_canary_status", "name"),
		gauge("flagger_canary_weight", "workload"), gauge("flagger_canary_metric_analysis", "name", "metric"),
		timing("flagger_canary_duration_seconds", nil, "name"),
		count("flagger_canary_successes_total", nil, "name", "deployment_strategy", "analysis_status"),
		count("flagger_canary_failures_total", nil, "name", "deployment_strategy", "analysis_status"),
	}
}

// Find returns the family of a series, and whether there is one.
func Find(all []Family, series string) (Family, bool) {
	for _, f := range all {
		if !f.Histogram && f.Name == series {
			return f, true
		}
		suffix, ok := strings.CutPrefix(series, f.Name)
		if f.Histogram && ok && slices.Contains([]string{"_bucket", "_sum", "_count"}, suffix) {
			return f, true
		}
	}
	return Family{}, false
}

// Names returns the names of the series of a family.
func (f Family) Names() []string {
	if f.Histogram {
		return []string{f.Name + "_bucket", f.Name + "_sum", f.Name + "_count"}
	}
	return []string{f.Name}
}

// HasLabel reports whether the series of a family can have a label. Labels of pods become labels of
// series, so that the set of the environment's pods counts too.
func (f Family) HasLabel(name string, podLabels []string) bool {
	common := []string{"__name__", "job", "namespace", "pod", "deployment", "instance", "app", "pod_template_hash",
		"version", "workload_ns", "control_plane_ns", "cluster", "node"}
	return slices.Contains(common, name) || f.Histogram && name == "le" || slices.Contains(f.Labels, name) ||
		slices.Contains(podLabels, name) || strings.HasPrefix(name, "linkerd_io_")
}

// Foreign maps the beginnings of series of other meshes, proxies and languages to those that say
// the same with Linkerd.
func Foreign() []struct{ Prefix, Owner, Instead string } {
	const count, latency = "response_total", "response_latency_ms_bucket"
	return []struct{ Prefix, Owner, Instead string }{
		{"istio_request_duration", "Istio", latency}, {"istio_", "Istio", count},
		{"envoy_cluster_upstream_rq_time", "Envoy", latency}, {"envoy_", "Envoy", count},
		{"nginx_ingress_controller_response_duration", "the NGINX ingress", latency},
		{"nginx_ingress_controller_request_duration", "the NGINX ingress", latency},
		{"nginx_", "NGINX", count}, {"traefik_", "Traefik", count}, {"gloo_", "Gloo", count},
		{"skipper_", "Skipper", count}, {"kong_", "Kong", count}, {"haproxy_", "HAProxy", count},
		{"contour_", "Contour", count}, {"kuma_", "Kuma", count}, {"apisix_", "APISIX", count},
		{"http_request_duration_seconds", "the application", "app_http_request_duration_seconds_bucket"},
		{"http_requests_total", "the application", "app_http_requests_total"},
	}
}

// Closest returns the word that a misspelt one most likely stands for, or "" if none is similar:
// one letter in five may differ.
func Closest(word string, words []string) string {
	if len(word) > 128 {
		return ""
	}
	best, distance := "", 1+max(1, len(word)/5)
	for _, w := range words {
		d := spelling.Distance(strings.ToLower(word), strings.ToLower(w))
		if d < distance || d == distance && best != "" && w < best {
			best, distance = w, d
		}
	}
	return best
}
