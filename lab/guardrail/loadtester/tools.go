package loadtester

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// tool is a program that sends load.
type tool struct {
	defaults Load
	// flags by name. A nil flag has no value.
	flags map[string]flagFunc
	// attached is set if a value may follow the flag without a space.
	attached bool
	// finish sets what depends on several flags, and on a rate that all workers share.
	finish func(l *Load, total float64)
}

type flagFunc func(p *parser, value string) error

// tools are the programs whose command lines the lab understands, with their defaults. Sources:
// github.com/rakyll/hey, hey.go; github.com/wg/wrk, src/wrk.c; github.com/giltene/wrk2, src/wrk.c;
// httpd.apache.org, programs/ab; grafana.com/docs/k6, using-k6/k6-options; curl.se/docs/manpage.
func tools() map[string]tool {
	get := func(workers, requests int, d time.Duration) Load {
		return Load{Method: "GET", Workers: workers, Requests: requests, Duration: d}
	}
	wrk := tool{defaults: get(10, 0, 10*time.Second), attached: true, finish: shareRate, flags: flags(
		"-c", workers, "--connections", workers, "-d", duration, "--duration", duration, "-H", header, "--header",
		header, "-t", ignored, "--threads", ignored, "-T", ignored, "--timeout", ignored, "-R", totalRate, "--rate",
		totalRate, "--latency", nil, "-L", nil, "-U", nil, "-v", nil)}
	return map[string]tool{
		"hey": {defaults: get(50, 200, 0), flags: flags(
			"-n", requests, "-c", workers, "-q", rate, "-z", duration, "-m", method, "-H", header, "-host", host,
			"-t", ignored, "-A", ignored, "-d", ignored, "-D", ignored, "-T", ignored, "-U", ignored, "-a", ignored,
			"-o", ignored, "-x", unsupported, "-cpus", ignored, "-h2", nil, "-disable-compression", nil,
			"-disable-keepalive", nil, "-disable-redirects", nil)},
		"wrk":  wrk,
		"wrk2": wrk,
		"ab": {defaults: get(1, 1, 0), attached: true, flags: flags(
			"-n", requests, "-c", workers, "-t", abTime, "-H", header, "-m", method, "-s", ignored, "-k", nil,
			"-q", nil, "-r", nil, "-d", nil, "-S", nil, "-l", nil)},
		"k6": {defaults: get(1, 1, 0), flags: flags(
			"--vus", workers, "-u", workers, "--duration", duration, "-d", duration, "--iterations", requests, "-i",
			requests, "--rps", totalRate, "--env", k6Env, "-e", k6Env, "--quiet", nil, "-q", nil, "--no-summary", nil,
			"--tag", ignored, "--out", ignored, "-o", ignored), finish: shareRate},
		"curl": {defaults: get(1, 1, 0), flags: flags(
			"-X", method, "--request", method, "-H", header, "--header", header, "-o", ignored, "--output", ignored,
			"-m", ignored, "--max-time", ignored, "--connect-timeout", ignored, "-w", ignored, "-d", posted, "--data",
			posted, "--retry", ignored, "-s", nil, "-S", nil, "-f", nil, "-sS", nil, "-sf", nil, "-sSf",
			nil, "-fsS", nil, "-k", nil, "-L", nil, "-v", nil, "-i", nil, "--silent", nil, "--fail", nil,
			"--insecure", nil)},
	}
}

// flags makes a map of pairs of name and function; nil stands for a flag without a value.
func flags(pairs ...any) map[string]flagFunc {
	m := map[string]flagFunc{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f, _ := pairs[i+1].(func(*parser, string) error)
		m[pairs[i].(string)] = f
	}
	return m
}

// shareRate divides a total rate among the workers.
func shareRate(l *Load, total float64) {
	if total > 0 && l.Workers > 0 {
		l.Rate = total / float64(l.Workers)
	}
}

func ignored(*parser, string) error { return nil }

func unsupported(*parser, string) error { return fmt.Errorf("the lab does not support it") }

func workers(p *parser, value string) error { return number(value, &p.load.Workers) }

func requests(p *parser, value string) error { return number(value, &p.load.Requests) }

// number parses a count, which may be written like 12k.
func number(value string, into *int) error {
	factor := 1
	if digits, ok := strings.CutSuffix(value, "k"); ok {
		value, factor = digits, 1000
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("it is not a number of requests or connections")
	}
	*into = n * factor
	return nil
}

func rate(p *parser, value string) error { return decimal(value, &p.load.Rate) }

func totalRate(p *parser, value string) error { return decimal(value, &p.total) }

func decimal(value string, into *float64) error {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		return fmt.Errorf("it is not a rate per second")
	}
	*into = f
	return nil
}

// duration parses 30s and, as wrk has it, 30.
func duration(p *parser, value string) error {
	if value != "" && strings.Trim(value, "0123456789") == "" {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Errorf("it is not a duration")
	}
	p.load.Duration = d
	return nil
}

// abTime sets ab's time limit, which is in seconds and allows 50 000 requests.
func abTime(p *parser, value string) error { return duration(p, value) }

func method(p *parser, value string) error {
	p.load.Method = strings.ToUpper(value)
	return nil
}

func posted(p *parser, _ string) error {
	p.load.Method = "POST"
	return nil
}

func header(p *parser, value string) error { return p.header(value) }

func host(p *parser, value string) error {
	p.load.Host = value
	return nil
}

// k6Env takes the URL of a script from its environment.
func k6Env(p *parser, value string) error {
	if _, text, ok := strings.Cut(value, "="); ok && strings.Contains(text, "://") {
		return p.argument(text)
	}
	return nil
}
