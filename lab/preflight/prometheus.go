package preflight

import (
	"context"
	"fmt"
	"time"

	"coalmine/lab/kindlab/place"
)

func prometheusAnswers(ctx context.Context, l *Lab) Finding {
	if l.prometheus == nil {
		p, end, err := l.Prometheus(ctx, l.config)
		if err != nil {
			return bad("%v", err)
		}
		l.prometheus, l.close = p, end
	}
	samples, err := l.prometheus.Query(ctx, "prometheus_build_info")
	if err != nil {
		return bad("%v", err)
	}
	if len(samples) == 0 || samples[0].Labels["version"] == "" {
		return fine("through a port-forward")
	}
	return fine("through a port-forward, version %s", samples[0].Labels["version"])
}

func proxiesScraped(ctx context.Context, l *Lab) Finding {
	samples, err := l.prometheus.Query(ctx, `up{job="linkerd-proxy",namespace="`+place.Develop+`"}`)
	if err != nil {
		return bad("%v", err)
	}
	down := 0
	for _, s := range samples {
		if s.Value == 0 {
			down++
		}
	}
	switch {
	case len(samples) == 0:
		return bad("job linkerd-proxy has no target in namespace %s", place.Develop)
	case down > 0:
		return warn("%d of %d targets do not answer", down, len(samples))
	}
	return fine("%d targets", len(samples))
}

// guardrailSeries are what guardrails ask for with Linkerd.
var guardrailSeries = [...]string{"request_total", "response_total", "response_latency_ms_bucket"}

func linkerdSeries(ctx context.Context, l *Lab) Finding {
	for _, name := range guardrailSeries {
		f := l.has(ctx, fmt.Sprintf(`%s{namespace=%q}`, name, place.Develop), name)
		if f.Level != OK {
			return f
		}
	}
	return l.fresh(ctx, fmt.Sprintf(`request_total{namespace=%q}`, place.Develop))
}

func (l *Lab) has(ctx context.Context, selector, name string) Finding {
	samples, err := l.prometheus.Query(ctx, "count("+selector+")")
	switch {
	case err != nil:
		return bad("%v", err)
	case len(samples) == 0:
		return warn("no series of %s", name)
	}
	return fine("%.0f series", samples[0].Value)
}

func (l *Lab) fresh(ctx context.Context, selector string) Finding {
	samples, err := l.prometheus.Query(ctx, "max(timestamp("+selector+"))")
	if err != nil {
		return bad("%v", err)
	}
	if len(samples) == 0 {
		return warn("no sample")
	}
	age := l.Now().Sub(time.UnixMilli(int64(samples[0].Value * 1000)))
	if age > freshScrape {
		return warn("the newest sample is %v old", age.Round(time.Second))
	}
	return fine("the newest sample is %v old", max(age, 0).Round(time.Second))
}

func appSeries(ctx context.Context, l *Lab) Finding {
	return l.has(ctx, fmt.Sprintf(`app_http_requests_total{namespace=%q}`, place.Develop), "app_http_requests_total")
}
