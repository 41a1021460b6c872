package preflight

import (
	"context"
	"fmt"
	"time"

	"coalmine/lab/cluster/names"
)

func prometheusAnswers(ctx context.Context, l *Lab) Finding {
	if l.prometheus == nil {
		p, end, err := l.Prometheus(ctx, l.config)
		if err != nil {
			return fail("%v", err)
		}
		l.prometheus, l.close = p, end
	}
	samples, err := l.prometheus.Query(ctx, "prometheus_build_info")
	if err != nil {
		return fail("%v", err)
	}
	if len(samples) == 0 || samples[0].Labels["version"] == "" {
		return pass("through a port-forward")
	}
	return pass("through a port-forward, version %s", samples[0].Labels["version"])
}

func proxiesScraped(ctx context.Context, l *Lab) Finding {
	samples, err := l.prometheus.Query(ctx, `up{job="linkerd-proxy",namespace="`+names.DevelopNamespace+`"}`)
	if err != nil {
		return fail("%v", err)
	}
	down := 0
	for _, s := range samples {
		if s.Value == 0 {
			down++
		}
	}
	switch {
	case len(samples) == 0:
		return fail("job linkerd-proxy has no target in namespace %s", names.DevelopNamespace)
	case down > 0:
		return warn("%d of %d targets do not respond", down, len(samples))
	}
	return pass("%d targets", len(samples))
}

// guardrailSeries are the Linkerd series that guardrails query.
var guardrailSeries = [...]string{"request_total", "response_total", "response_latency_ms_bucket"}

func linkerdSeries(ctx context.Context, l *Lab) Finding {
	for _, name := range guardrailSeries {
		f := l.hasSeries(ctx, fmt.Sprintf(`%s{namespace=%q}`, name, names.DevelopNamespace), name)
		if f.Level != OK {
			return f
		}
	}
	return l.freshSeries(ctx, fmt.Sprintf(`request_total{namespace=%q}`, names.DevelopNamespace))
}

func (l *Lab) hasSeries(ctx context.Context, selector, name string) Finding {
	samples, err := l.prometheus.Query(ctx, "count("+selector+")")
	switch {
	case err != nil:
		return fail("%v", err)
	case len(samples) == 0:
		return warn("no series of %s", name)
	}
	return pass("%.0f series", samples[0].Value)
}

func (l *Lab) freshSeries(ctx context.Context, selector string) Finding {
	samples, err := l.prometheus.Query(ctx, "max(timestamp("+selector+"))")
	if err != nil {
		return fail("%v", err)
	}
	if len(samples) == 0 {
		return warn("no sample")
	}
	age := l.Now().Sub(time.UnixMilli(int64(samples[0].Value * 1000)))
	if age > maxScrapeAge {
		return warn("the newest sample is %v old", age.Round(time.Second))
	}
	return pass("the newest sample is %v old", max(age, 0).Round(time.Second))
}

func appSeries(ctx context.Context, l *Lab) Finding {
	return l.hasSeries(ctx, fmt.Sprintf(`app_http_requests_total{namespace=%q}`, names.DevelopNamespace),
		"app_http_requests_total")
}
