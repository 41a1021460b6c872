package k8s

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/mesh"
)

// OpaquePortsAnnotation lists ports whose traffic Linkerd takes for plain TCP.
const OpaquePortsAnnotation = "config.linkerd.io/opaque-ports"

// ServicePolicy returns what a Service says to the proxies of its clients on one of its ports. An
// annotation that Linkerd cannot parse leaves the whole setting out; the error names it (linkerd2,
// policy-controller/k8s/index/src/outbound/index.rs).
func ServicePolicy(s *corev1.Service, port int) (mesh.ServicePolicy, error) {
	accrual, errAccrual := parseAccrual(s.Annotations)
	timeouts, errTimeouts := parseTimeouts(s.Annotations)
	retry, errRetry := parseRetry(s.Annotations)
	policy := mesh.ServicePolicy{Accrual: accrual, Timeouts: timeouts, Retry: retry, Protocol: protocol(s, port)}
	return policy, errors.Join(errAccrual, errTimeouts, errRetry)
}

// defaultOpaquePorts are those of a default installation (linkerd2,
// charts/linkerd-control-plane/values.yaml, proxy.opaquePorts).
const defaultOpaquePorts = "25,587,3306,4444,5432,6379,9300,11211"

// protocol returns how proxies take the traffic to a port. An appProtocol precedes the annotation;
// one that Linkerd does not know is opaque (linkerd2, policy-controller/core/src/outbound.rs and
// policy-controller/grpc/src/outbound.rs).
func protocol(s *corev1.Service, port int) mesh.Protocol {
	for _, p := range s.Spec.Ports {
		if int(p.Port) != port || p.AppProtocol == nil {
			continue
		}
		switch strings.ToLower(*p.AppProtocol) {
		case "http":
			return mesh.ProtocolDetect
		case "kubernetes.io/h2c":
			return mesh.ProtocolHTTP2
		}
		return mesh.ProtocolOpaque
	}
	ports, ok := s.Annotations[OpaquePortsAnnotation]
	if !ok {
		ports = defaultOpaquePorts
	}
	if inPortSet(ports, port) {
		return mesh.ProtocolOpaque
	}
	return mesh.ProtocolDetect
}

// inPortSet reports whether a list of ports and ranges has a port. A list with an error is empty
// (linkerd2, policy-controller/k8s/index/src/ports.rs).
func inPortSet(list string, port int) bool {
	found := false
	for entry := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(entry, "-")
		if !isRange {
			if last = first; strings.TrimSpace(entry) == "" {
				continue
			}
		}
		low, errLow := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
		high, errHigh := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
		if errLow != nil || errHigh != nil || low == 0 || low > high {
			return false
		}
		found = found || int(low) <= port && port <= int(high)
	}
	return found
}

// parseTimeouts reads the annotations timeout.linkerd.io/*. A timeout of 0 is over at once.
func parseTimeouts(annotations map[string]string) (mesh.Timeouts, error) {
	var t mesh.Timeouts
	var errs []error
	for name, to := range map[string]*time.Duration{"request": &t.Request, "response": &t.Response, "idle": &t.Idle} {
		name = "timeout.linkerd.io/" + name
		errs = append(errs, parseDuration(annotations, name, to))
		if _, ok := annotations[name]; ok && *to == 0 {
			*to = mesh.AtOnce
		}
	}
	if err := errors.Join(errs...); err != nil {
		return mesh.Timeouts{}, err
	}
	return t, nil
}

// parseRetry reads the annotations retry.linkerd.io/*; nil means that there are none.
func parseRetry(annotations map[string]string) (*mesh.Retry, error) {
	const prefix = "retry.linkerd.io/"
	r := mesh.Retry{}
	conditions, ok := annotations[prefix+"http"]
	if ok {
		for condition := range strings.SplitSeq(conditions, ",") {
			s, err := parseStatuses(condition)
			if err != nil {
				return nil, fmt.Errorf("%shttp: %q: %w", prefix, condition, err)
			}
			r.Statuses = append(r.Statuses, s)
		}
	}
	if raw, set := annotations[prefix+"limit"]; set {
		limit, err := strconv.ParseUint(raw, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%slimit: %q: write a number from 0 to 65535", prefix, raw)
		}
		r.Limit = int(limit)
	}
	if err := parseDuration(annotations, prefix+"timeout", &r.Timeout); err != nil {
		return nil, err
	}
	if !ok && r.Limit == 0 && r.Timeout == 0 {
		return nil, nil
	}
	r.Limit = max(r.Limit, 1)
	return &r, nil
}

func parseStatuses(condition string) (mesh.StatusRange, error) {
	switch strings.ToLower(condition) {
	case "5xx":
		return mesh.StatusRange{First: 500, Last: 599}, nil
	case "gateway-error":
		return mesh.StatusRange{First: 502, Last: 504}, nil
	}
	first, last, isRange := strings.Cut(condition, "-")
	if !isRange {
		last = first
	}
	low, errLow := strconv.Atoi(first)
	high, errHigh := strconv.Atoi(last)
	if errLow != nil || errHigh != nil || low < 100 || high > 599 || low > high {
		return mesh.StatusRange{}, errors.New("write 5xx, gateway-error, a status or a range like 500-504")
	}
	return mesh.StatusRange{First: low, Last: high}, nil
}

// parseAccrual reads the annotations balancer.linkerd.io/failure-accrual*; nil means that there is
// no circuit breaking.
func parseAccrual(annotations map[string]string) (*mesh.Accrual, error) {
	const prefix = "balancer.linkerd.io/failure-accrual"
	mode, ok := annotations[prefix]
	if !ok {
		return nil, nil
	}
	if !slices.Contains([]string{"consecutive", "unified"}, mode) {
		return nil, fmt.Errorf("%s: %q: write consecutive", prefix, mode)
	}
	a := mesh.DefaultAccrual()
	if raw, set := annotations[prefix+"-consecutive-max-failures"]; set {
		n, err := strconv.ParseUint(strings.TrimSpace(raw), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s-consecutive-max-failures: %q: write a number", prefix, raw)
		}
		a.MaxFailures = int(n)
	}
	if raw, set := annotations[prefix+"-consecutive-jitter-ratio"]; set {
		ratio, err := strconv.ParseFloat(strings.TrimSpace(raw), 32)
		if err != nil || !(ratio >= 0 && ratio <= 100) {
			return nil, fmt.Errorf("%s-consecutive-jitter-ratio: %q: write a number from 0 to 100", prefix, raw)
		}
		a.Jitter = ratio
	}
	err := errors.Join(parseDuration(annotations, prefix+"-consecutive-min-penalty", &a.MinPenalty),
		parseDuration(annotations, prefix+"-consecutive-max-penalty", &a.MaxPenalty))
	if err == nil && (a.MinPenalty > a.MaxPenalty || a.MaxPenalty == 0) {
		err = fmt.Errorf("%s-consecutive-max-penalty: must be above 0 and not below min-penalty", prefix)
	}
	if mode == "unified" {
		rate, errRate := parseSuccessRate(annotations)
		a.Rate, err = &rate, errors.Join(err, errRate)
	}
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// parseSuccessRate reads the annotations of the mode unified.
func parseSuccessRate(annotations map[string]string) (mesh.SuccessRate, error) {
	const prefix = "balancer.alpha.linkerd.io/failure-accrual-success-rate-"
	r := mesh.DefaultSuccessRate()
	if raw, set := annotations[prefix+"threshold"]; set {
		threshold, err := strconv.ParseFloat(strings.TrimSpace(raw), 64)
		if err != nil || !(threshold >= 0 && threshold <= 1) {
			return r, fmt.Errorf("%sthreshold: %q: write a number from 0 to 1", prefix, raw)
		}
		r.Threshold = math.Round(threshold*10_000) / 10_000 // the proxy keeps basis points
	}
	if raw, set := annotations[prefix+"min-requests"]; set {
		n, err := strconv.ParseUint(strings.TrimSpace(raw), 10, 32)
		if err != nil || r.Threshold != 0 && n > 1_000_000 {
			return r, fmt.Errorf("%smin-requests: %q: write a number up to 1000000", prefix, raw)
		}
		r.MinRequests = int(n)
	}
	err := parseDuration(annotations, prefix+"window", &r.Window)
	if err == nil && (r.Window == 0 || r.Threshold != 0 && r.Window < 10*time.Millisecond) {
		err = fmt.Errorf("%swindow: must be at least 10ms", prefix)
	}
	return r, err
}

// parseDuration reads an annotation, if there is one, as Linkerd does: a whole number and ms, s, m,
// h or d.
func parseDuration(annotations map[string]string, name string, to *time.Duration) error {
	raw, ok := annotations[name]
	if !ok {
		return nil
	}
	d, ok := duration(raw)
	if !ok {
		return fmt.Errorf("%s: %q: write a whole number and ms, s, m, h or d, like 250ms", name, raw)
	}
	*to = d
	return nil
}

// duration reads a whole number and a unit.
func duration(raw string) (time.Duration, bool) {
	text := strings.TrimSpace(raw)
	digits := strings.TrimRight(text, "mshd")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, known := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute,
		"h": time.Hour, "d": 24 * time.Hour}[text[len(digits):]]
	if text == "0" {
		unit, known = time.Second, true
	}
	const limit = 365 * 24 * time.Hour
	if err != nil || !known || n < 0 || n > int64(limit/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
