// Package loadtest runs a load test: it makes a plan of a scenario, a workload or an access log,
// sends it to real servers or to the simulator, and collects results, events and files.
package loadtest

import (
	"io"
	"path/filepath"
	"slices"
	"time"

	"coalmine/lab/input"
)

// Options describe a load test. Error messages refer to them by the flags of coalmine load.
type Options struct {
	// Dir is the folder that relative paths of files start from.
	Dir    string
	Plan   PlanOptions
	Target TargetOptions
	Output OutputOptions
	// Objectives are judged after the test. For their syntax see package objective.
	Objectives []string
	// WarmUp is how long requests are sent before those that are judged.
	WarmUp time.Duration
	// AbortOnViolation ends the test when an objective has been violated for [violationSeconds].
	AbortOnViolation bool
}

// PlanOptions say what is sent.
type PlanOptions struct {
	// Rate replaces the workload's curve by a constant number of requests per second; 0 keeps it.
	Rate float64
	// Ramp is how long the rate rises from 0, in a straight line; 0 starts with the full rate. It
	// needs a constant rate.
	Ramp time.Duration
	// Duration of the plan; 0 is [DefaultDuration], or the length of a replayed log.
	Duration time.Duration
	Seed     uint64
	// Method of the requests if a URL is named in place of a workload; "" is GET, or POST with a
	// body.
	Method string
	// Body of the requests if a URL is named in place of a workload; "@FILE" is the content of a
	// file, "" is none.
	Body string
	// Targets is the path of a file with targets, as vegeta reads them, to request in place of a
	// workload; "" for none.
	Targets string
	// Weights is the path of a file with weights of routes, in place of the mix of cohorts; "" for
	// none.
	Weights string
	// Shard is the part I/N of the plan to send; "" is the whole plan.
	Shard string
	// Replay is the path of an access log to take the requests from; "" for none.
	Replay string
	// LogFormat is the format of the log; "" means to detect it.
	LogFormat string
	// Speed divides the times of the log; 0 keeps the workload's speed.
	Speed float64
	// Headers are sent with each request, as "NAME: VALUE".
	Headers []string
}

// TargetOptions say where requests are sent, and how.
type TargetOptions struct {
	// URLs are base URLs, optionally as SERVICE=URL, or only [Simulator].
	URLs []string
	// Version of the released service, for the simulator.
	Version string
	// Service is the service whose version is recorded; "" is the released one.
	Service string
	// VersionHeader is a response header with the version.
	VersionHeader string
	// Workers, Connections and Timeout are as in attack.Attack.
	Workers, Connections int
	Timeout              time.Duration
	// HTTP2 and NoKeepAlive are as in attack.Attack.
	HTTP2, NoKeepAlive bool
	// Redirects is how many redirects a request follows, to the hosts of targets only.
	Redirects int
	// ConnectTo lists addresses to connect to in place of a target's, as "HOST:PORT=ADDRESS".
	ConnectTo []string
	// Proxy is the URL of an HTTP proxy; "" for none.
	Proxy string
	// Wait is how long to wait for a target that cannot be reached yet.
	Wait time.Duration
	// Cert and Key are the paths of PEM files with the client's certificate and key; "" for none.
	Cert, Key string
	// CA is the path of a PEM file with certificate authorities to trust; "" means the system's.
	CA string
	// Insecure accepts any certificate.
	Insecure bool
	// Abort, when it is closed after an interrupt, ends the wait for requests in flight.
	Abort <-chan struct{}
}

// OutputOptions name the files to write, and the address to serve metrics on; "" for none.
type OutputOptions struct {
	// A file named [Stdout] is written to Stdout.
	Save, HDR, Results, Events string
	Metrics                    string
	// Force overwrites files.
	Force bool
	// Stdout is standard output.
	Stdout io.Writer
}

// Stdout is the name that stands for standard output.
const Stdout = "-"

// OnStdout reports whether a file is written to standard output.
func (o OutputOptions) OnStdout() bool { return slices.Contains(o.files(), Stdout) }

// distinct returns an error if two files have the same name.
func (o OutputOptions) distinct() error {
	seen := map[string]bool{}
	for _, name := range o.files() {
		if name != "" && seen[name] {
			return input.New("name a file of its own for each", "two outputs are written to %s", name)
		}
		seen[name] = true
	}
	return nil
}

func (o OutputOptions) files() []string { return []string{o.Save, o.HDR, o.Results, o.Events} }

const (
	// DefaultDuration is how long a load test lasts by default.
	DefaultDuration = time.Minute
	// Simulator is the target that stands for the simulated services.
	Simulator = "sim"
)

// Simulated reports whether the services are the simulated ones.
func (o TargetOptions) Simulated() bool { return len(o.URLs) == 1 && o.URLs[0] == Simulator }

func (o Options) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(o.Dir, name)
}
