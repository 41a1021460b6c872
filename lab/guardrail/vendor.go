package guardrail

import (
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
)

const providerPrometheus = "prometheus"

// vendorName returns the name of the vendor that a template asks, or "" for Prometheus.
func vendorName(t *flaggerv1.MetricTemplate) string { return vendorNames()[t.Spec.Provider.Type] }

// vendorNames are the providers of metrics that Flagger has besides Prometheus, by type.
// Source: flagger pkg/metrics/providers/factory.go.
func vendorNames() map[string]string {
	return map[string]string{
		"cloudwatch":      "CloudWatch",
		"datadog":         "Datadog",
		"dynatrace":       "Dynatrace",
		"externalmetrics": "the external metrics API",
		"graphite":        "Graphite",
		"influxdb":        "InfluxDB",
		"keptn":           "Keptn",
		"newrelic":        "New Relic",
		"splunk":          "Splunk",
		"stackdriver":     "Stackdriver",
	}
}

func vendorReason(vendor string) string { return "the lab cannot ask " + vendor }

// checkProviderFields checks what a template says about its Prometheus. The lab's own answers in its
// place.
func (c *checker) checkProviderFields(d *document, p flaggerv1.MetricTemplateProvider) {
	const path = "spec.provider"
	if p.Address == "" {
		c.fail(d, path+".address", "is missing, and Flagger needs it", "write "+LabPrometheus)
		return
	}
	var ignored []string
	for _, f := range []struct {
		set   bool
		field string
	}{
		{p.SecretRef != nil, "secretRef"},
		{p.InsecureSkipVerify, "insecureSkipVerify"},
		{len(p.Headers) > 0, "headers"},
		{p.Region != "", "region"},
	} {
		if f.set {
			ignored = append(ignored, f.field)
		}
	}
	without := ""
	if len(ignored) > 0 {
		without = "without " + strings.Join(ignored, ", ")
	}
	switch {
	case !IsLabPrometheus(p.Address):
		message := "the lab's Prometheus answers in place of " + Clip(p.Address)
		if without != "" {
			message += ", " + without
		}
		c.note(d, path+".address", message, "")
	case without != "":
		c.note(d, path+"."+ignored[0], "the lab's Prometheus is asked "+without, "")
	}
}
