package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/lab/event"
	"coalmine/lab/input"
	"coalmine/loadgen/promexport"
)

// outputs are the files and the metrics server that a load test feeds while it runs.
type outputs struct {
	events   *outputFile
	eventLog *event.Writer
	results  *outputFile
	encode   vegeta.Encoder
	save     *outputFile
	hdr      *outputFile
	exporter *promexport.Exporter
	server   *http.Server
	// encodeErr is the first error of encode; flushed is when results was last flushed.
	encodeErr error
	flushed   time.Time
}

// openOutputs creates the files and starts the server that the options ask for. After an error
// nothing is left open.
func (t *Test) openOutputs(ctx context.Context, messages io.Writer) (*outputs, error) {
	o := t.options.Output
	if err := o.distinct(); err != nil {
		return nil, err
	}
	out := &outputs{}
	for _, want := range []struct {
		flag, path string
		file       **outputFile
	}{{"events", o.Events, &out.events}, {"results", o.Results, &out.results}, {"save", o.Save, &out.save},
		{"hdr", o.HDR, &out.hdr}} {
		if want.path == "" {
			continue
		}
		var err error
		if *want.file, err = o.createFile(ctx, want.flag, want.path, t.options.path(want.path)); err != nil {
			return nil, errors.Join(err, out.discard())
		}
	}
	if out.events != nil {
		out.eventLog = event.NewWriter(out.events.w) // which flushes each second
	}
	if out.results != nil {
		out.encode = vegetaEncoder(out.results, o.Results)
	}
	if o.Metrics == "" {
		return out, nil
	}
	if err := out.serveMetrics(ctx, t, messages); err != nil {
		return nil, errors.Join(err, out.discard())
	}
	return out, nil
}

// metricsTimeout limits how long a client of the metrics may take to send its request.
const metricsTimeout = 5 * time.Second

func (o *outputs) serveMetrics(ctx context.Context, t *Test, messages io.Writer) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", t.options.Output.Metrics)
	if err != nil {
		return input.New("write HOST:PORT of this machine, such as 127.0.0.1:9464", "--metrics: %w", err)
	}
	o.exporter = promexport.New(t.plan)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", o.exporter.Handler())
	o.server = &http.Server{Handler: mux, ReadHeaderTimeout: metricsTimeout}
	go o.server.Serve(l) //nolint:errcheck // always ErrServerClosed
	fmt.Fprintf(messages, "Metrics at http://%s/metrics\n", l.Addr())
	return nil
}

// flushEvery is the time between writes of results, for readers that follow the file.
const flushEvery = time.Second

// raw returns a function that encodes results, or nil without --results.
func (o *outputs) raw() func(*vegeta.Result) {
	if o.encode == nil {
		return nil
	}
	return func(r *vegeta.Result) {
		if o.encodeErr == nil {
			o.encodeErr = o.encode.Encode(r)
		}
		if now := time.Now(); now.Sub(o.flushed) >= flushEvery && o.encodeErr == nil {
			o.flushed, o.encodeErr = now, o.results.Flush()
		}
	}
}

// writeResults writes the files that are written at the end.
func (o *outputs) writeResults(c *collector) error {
	// Errors of the files themselves are those of close.
	if o.save != nil {
		if err := c.results.WriteDocument(o.save); err != nil && o.save.Flush() == nil {
			return err
		}
	}
	if o.hdr != nil {
		if err := c.results.WriteLog(o.hdr); err != nil && o.hdr.Flush() == nil {
			return err
		}
	}
	return nil
}

// discard closes and removes the files of a test that did not start.
func (o *outputs) discard() error {
	errs := []error{o.close()}
	for _, f := range o.files() {
		errs = append(errs, f.remove())
	}
	return errors.Join(errs...)
}

// files returns the files that are open.
func (o *outputs) files() []*outputFile {
	all := []*outputFile{o.events, o.results, o.save, o.hdr}
	return slices.DeleteFunc(all, func(f *outputFile) bool { return f == nil })
}

func (o *outputs) close() error {
	var errs []error
	if o.eventLog != nil {
		errs = append(errs, o.events.failure(o.eventLog.Close()))
	}
	for _, f := range o.files() {
		errs = append(errs, f.Close())
	}
	if o.server != nil {
		errs = append(errs, o.server.Close())
	}
	if o.results == nil || o.results.Flush() == nil { // else it is the error of the file
		errs = append(errs, o.encodeErr)
	}
	return errors.Join(errs...)
}

// vegetaEncoder encodes results as vegeta's own commands read them: as JSON or CSV by the file's
// extension, otherwise as gob.
func vegetaEncoder(w io.Writer, path string) vegeta.Encoder {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json", ".jsonl":
		return vegeta.NewJSONEncoder(w)
	case ".csv":
		return vegeta.NewCSVEncoder(w)
	}
	return vegeta.NewEncoder(w)
}
