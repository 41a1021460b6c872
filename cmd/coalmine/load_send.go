package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/lab/event"
	"coalmine/loadgen/promexport"
	"coalmine/loadgen/results"
)

// outputs are the files and the server that a load feeds while it runs.
type outputs struct {
	events   *output
	log      *event.Writer
	results  *output
	encode   vegeta.Encoder
	document *output
	hdr      *output
	exposer  *promexport.Exporter
	server   *http.Server
	// failed is the first error of a write.
	failed error
}

// sendLoad plays a job, tells how it goes, and prints what came of it.
func (env *Env) sendLoad(ctx context.Context, job *loadJob, f loadFlags, send executor) error {
	out, err := env.openOutputs(ctx, job, f.loadOutputFlags)
	if err != nil {
		return err
	}
	show := newLoadProgress(env, job, f.simulated())
	listeners := []func(event.Event){show.event}
	if out.log != nil {
		listeners = append(listeners, out.log.Write)
	}
	events := event.NewRecorder(listeners...)
	events.Record(0, "load", job.started(f, env.Version))
	all := newAccounts(job, events, out.exposer)
	report, sendErr := send(ctx, sink{done: all.add, raw: out.raw()})
	all.close(report.Elapsed, report.Arrivals)
	events.Record(report.Elapsed, "load", loadEnded(sendErr))
	events.Flush()
	show.close()
	all.ledger.Run = results.Run{Start: report.Start, Elapsed: report.Elapsed, Unsent: int64(report.Unsent)}
	if err := errors.Join(out.keep(all), out.close()); err != nil {
		return err
	}
	return env.finishLoad(job, f, all, report, sendErr)
}

// started opens the log of a load's events.
func (j *loadJob) started(f loadFlags, version string) event.RunStarted {
	cluster, mesh := "load", "none"
	if f.simulated() {
		cluster, mesh = "sim", "linkerd-model"
	}
	return event.RunStarted{
		Format: event.Format, Scenario: j.name, Service: j.released(), Seed: j.plan.Seed(), Cluster: cluster, Mesh: mesh,
		Versions: map[string]string{"coalmine": version},
	}
}

func loadEnded(err error) event.RunEnded {
	switch {
	case err == nil:
		return event.RunEnded{Outcome: event.OutcomeCompleted}
	case errors.Is(err, context.Canceled):
		return event.RunEnded{Outcome: event.OutcomeInterrupted}
	}
	return event.RunEnded{Outcome: event.OutcomeLabFault, Reason: err.Error()}
}

// openOutputs makes what the flags ask for; where one cannot be made, none is left open.
func (env *Env) openOutputs(ctx context.Context, job *loadJob, f loadOutputFlags) (*outputs, error) {
	out := &outputs{}
	for _, want := range []struct {
		flag, path string
		to         **output
	}{{"events", f.events, &out.events}, {"results", f.results, &out.results}, {"save", f.document, &out.document}, {"hdr", f.hdr, &out.hdr}} {
		if want.path == "" {
			continue
		}
		var err error
		if *want.to, err = env.create(want.flag, want.path); err != nil {
			return nil, errors.Join(err, out.close())
		}
	}
	if out.events != nil {
		out.log = event.NewWriter(out.events)
	}
	if out.results != nil {
		out.encode = vegetaEncoder(out.results, f.results)
	}
	if f.metrics == "" {
		return out, nil
	}
	if err := env.serveMetrics(ctx, job, out, f.metrics); err != nil {
		return nil, errors.Join(err, out.close())
	}
	return out, nil
}

// metricsTimeout bounds how long a client of the metrics may take to ask.
const metricsTimeout = 5 * time.Second

func (env *Env) serveMetrics(ctx context.Context, job *loadJob, out *outputs, address string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return invalid("write HOST:PORT of this machine, as 127.0.0.1:9464", "--metrics: %w", err)
	}
	out.exposer = promexport.New(job.plan)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", out.exposer.Handler())
	out.server = &http.Server{Handler: mux, ReadHeaderTimeout: metricsTimeout}
	go out.server.Serve(l) //nolint:errcheck // it ends with ErrServerClosed
	fmt.Fprintf(env.Err, "Metrics at http://%s/metrics\n", l.Addr())
	return nil
}

// raw writes results in vegeta's encoding; nil where nobody asked for them.
func (o *outputs) raw() func(*vegeta.Result) {
	if o.encode == nil {
		return nil
	}
	return func(r *vegeta.Result) {
		if o.failed == nil {
			o.failed = o.encode.Encode(r)
		}
	}
}

// keep writes what can only be written at the end.
func (o *outputs) keep(all *accounts) error {
	if o.document != nil {
		if err := all.ledger.WriteDocument(o.document); err != nil {
			return err
		}
	}
	if o.hdr != nil {
		return all.ledger.WriteLog(o.hdr)
	}
	return nil
}

func (o *outputs) close() error {
	var errs []error
	if o.log != nil {
		errs = append(errs, o.log.Close())
	}
	for _, f := range []*output{o.events, o.results, o.document, o.hdr} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	if o.server != nil {
		errs = append(errs, o.server.Close())
	}
	return errors.Join(append(errs, o.failed)...)
}
