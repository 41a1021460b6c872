package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"coalmine/lab/loadtest"
)

// Bounds of the flags. A value beyond them is more likely a typing error than intended.
const (
	maxLoadRate     = 200_000
	maxLoadDuration = 24 * time.Hour
	maxLoadWorkers  = 100_000
	maxRedirects    = 20
)

func addPlanFlags(flags *pflag.FlagSet, o *loadtest.PlanOptions) {
	flags.Float64Var(&o.Rate, "rate", 0, "send `N` requests per second instead of the workload's curve")
	flags.DurationVar(&o.Ramp, "ramp", 0, "let the rate rise from 0 for this `TIME`")
	flags.StringVar(&o.Method, "method", "", "send `METHOD` to a URL (default GET, or POST with --body)")
	flags.StringVar(&o.Body, "body", "", "send `TEXT`, or the contents of @FILE, to a URL; {user} is replaced by the "+
		"user's number")
	flags.DurationVar(&o.Duration, "duration", 0, "send for this `TIME` (default 1m, or the length of a replayed log)")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed `N` of the plan")
	flags.StringVar(&o.Targets, "targets", "", "request the targets in `FILE`, in vegeta's http or json format, each "+
		"as often as it is listed")
	flags.StringVar(&o.Weights, "weights", "", "request routes as often as `FILE` says: CSV with the columns route "+
		"and weight, or JSON")
	flags.StringVar(&o.Shard, "shard", "", "send only part `I/N` of the plan")
	flags.StringVar(&o.Replay, "replay", "", "take the requests from access log `FILE`")
	flags.StringVar(&o.LogFormat, "log-format", "", "`FORMAT` of the log: common, combined, json, envoy or "+
		"alb (default: detected)")
	flags.Float64Var(&o.Speed, "speed", 0, "replay `N` times as fast as the log")
	flags.StringArrayVar(&o.Headers, "header", nil, "send `'NAME: VALUE'` with each request (repeatable)")
}

func addTargetFlags(flags *pflag.FlagSet, o *loadtest.TargetOptions) {
	flags.StringArrayVarP(&o.URLs, "target", "t", nil,
		"send to `URL`, to SERVICE=URL for one service (repeatable), or to sim, the simulated services in virtual time")
	flags.StringVar(&o.Version, "version", "", "with --target sim: `VERSION` of the released service (default "+
		"the baseline)")
	flags.StringVar(&o.Service, "service", "", "report by the version of this `SERVICE` (default the released one)")
	flags.StringVar(&o.VersionHeader, "version-header", "", "read the serving version from this response `HEADER`")
	flags.IntVar(&o.Workers, "workers", 0, "keep at most `N` requests in flight (default depends on the rate)")
	flags.IntVar(&o.Connections, "connections", 0, "open `N` connections before the first request (default depends "+
		"on the rate)")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Second, "wait this `TIME` for a response")
	flags.BoolVar(&o.HTTP2, "http2", false, "send HTTP/2: over https if the server offers it, over http always")
	flags.BoolVar(&o.NoKeepAlive, "no-keep-alive", false, "open a connection for each request")
	flags.IntVar(&o.Redirects, "redirects", 0, "follow up to `N` redirects of a request to the hosts of targets")
	flags.StringArrayVar(&o.ConnectTo, "connect-to", nil, "connect to another address, as `HOST:PORT=ADDRESS`: "+
		"HOST:PORT, or unix: and the path of a socket (repeatable)")
	flags.StringVar(&o.Proxy, "proxy", "", "send through the HTTP proxy at `URL`")
	flags.DurationVar(&o.Wait, "wait", 0, "wait at most this `TIME` for targets that cannot be connected to yet")
	flags.StringVar(&o.Cert, "cert", "", "send the client certificate in `FILE` (PEM), with --key")
	flags.StringVar(&o.Key, "key", "", "key of the client certificate in `FILE` (PEM)")
	flags.StringVar(&o.CA, "ca", "", "trust the certificate authorities in `FILE` (PEM)")
	flags.BoolVar(&o.Insecure, "insecure", false, "accept any server certificate")
}

func addOutputFlags(flags *pflag.FlagSet, o *loadtest.OutputOptions) {
	flags.StringVar(&o.Save, "save", "", "write the results to `FILE` (JSON), for coalmine load merge")
	flags.StringVar(&o.HDR, "hdr", "", "write the latency histograms to `FILE` (HDR histogram log)")
	flags.StringVar(&o.Results, "results", "", "write each result to `FILE` in vegeta's encoding (.json and .csv by "+
		"extension, gob otherwise), - for standard output")
	flags.StringVar(&o.Events, "events", "", "write one-second aggregates to `FILE` as events (JSON lines)")
	flags.StringVar(&o.Metrics, "metrics", "", "serve Prometheus metrics on `ADDRESS` during the test")
	flags.BoolVar(&o.Force, "force", false, "overwrite the files that --save, --hdr, --results and --events name")
}

// check checks the flags that do not depend on files.
func (f *loadFlags) check(flags *pflag.FlagSet, name string) error {
	p, t := f.Plan, f.Target
	switch {
	case name == "" && p.Replay == "" && p.Targets == "" && (len(t.URLs) != 1 || !loadtest.IsURL(t.URLs[0])):
		return errors.New("WORKLOAD is missing: name a URL, a scenario, a workload or a workload file, or give an " +
			"access log with --replay")
	case flags.Changed("rate") && !(p.Rate > 0 && p.Rate <= maxLoadRate):
		return fmt.Errorf("--rate is %g: write a number of requests per second, over 0 and up to %d", p.Rate,
			maxLoadRate)
	case flags.Changed("duration") && !(p.Duration > 0 && p.Duration <= maxLoadDuration):
		return fmt.Errorf("--duration is %v: write a time over 0 and up to %v", p.Duration, maxLoadDuration)
	case flags.Changed("ramp") && !(p.Ramp > 0 && p.Ramp <= maxLoadDuration):
		return fmt.Errorf("--ramp is %v: write a time over 0 and up to %v", p.Ramp, maxLoadDuration)
	case flags.Changed("speed") && !(p.Speed > 0 && p.Speed <= 1000):
		return fmt.Errorf("--speed is %g: write a number over 0 and up to 1000", p.Speed)
	case p.Seed > 1<<53:
		return fmt.Errorf("--seed is %d: write a number up to 2^53, which JSON keeps exactly", p.Seed)
	case t.Workers < 0 || t.Workers > maxLoadWorkers:
		return fmt.Errorf("--workers is %d: write 1 to %d", t.Workers, maxLoadWorkers)
	case t.Connections < 0 || t.Connections > maxLoadWorkers:
		return fmt.Errorf("--connections is %d: write 1 to %d", t.Connections, maxLoadWorkers)
	case t.Timeout <= 0:
		return fmt.Errorf("--timeout is %v: write a time over 0", t.Timeout)
	case t.Redirects < 0 || t.Redirects > maxRedirects:
		return fmt.Errorf("--redirects is %d: write 0 to %d", t.Redirects, maxRedirects)
	case f.WarmUp < 0 || f.WarmUp > maxLoadDuration:
		return fmt.Errorf("--warm-up is %v: write a time up to %v", f.WarmUp, maxLoadDuration)
	case f.AbortOnViolation && len(f.Objectives) == 0:
		return errors.New("--abort-on-violation needs an --objective")
	case t.Wait < 0:
		return fmt.Errorf("--wait is %v: write a time over 0", t.Wait)
	case len(t.URLs) == 0 && !f.planOnly && !loadtest.IsURL(name) && p.Targets == "":
		return errors.New("--target is missing: write the URL of the services, or sim for the simulated ones")
	case t.Version != "" && !t.Simulated():
		return errors.New("--version is for --target sim: real servers have the version that they run (see coalmine " +
			"app --version)")
	}
	return nil
}
