package preflight

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	case len(samples) == 0 && l.podsAreNew(ctx):
		return warn("job linkerd-proxy has no target yet in namespace %s, whose pods started within the last minute",
			names.DevelopNamespace)
	case len(samples) == 0:
		return fail("job linkerd-proxy has no target in namespace %s", names.DevelopNamespace)
	case down > 0:
		return warn("%d of %d targets do not respond", down, len(samples))
	}
	return pass("%d targets", len(samples))
}

// firstScrape is within what Prometheus has scraped a new pod: it takes up new targets every 5 s and
// scrapes every 10 s, and the pod has to start before.
const firstScrape = time.Minute

// podsAreNew reports whether there are pods of the demo services with a proxy, all younger than
// firstScrape.
func (l *Lab) podsAreNew(ctx context.Context) bool {
	list, err := l.kube.CoreV1().Pods(names.DevelopNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false
	}
	n := 0
	for i := range list.Items {
		p := &list.Items[i]
		if !isMeshed(p) {
			continue
		}
		if l.Now().Sub(p.CreationTimestamp.Time) >= firstScrape {
			return false
		}
		n++
	}
	return n > 0
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
