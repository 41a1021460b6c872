package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// InstanceHeader is on every answer of a desk and names its process: what another process was told is not known to it.
const InstanceHeader = "Coalmine-Desk"

// ErrRestarted says that the desk's process is another one than before. The facts that the first one had are lost with it.
var ErrRestarted = errors.New("the desk was started anew, and what it knew is lost")

// StatusError is an answer of the desk, or of who stands before it, other than 200.
type StatusError struct {
	Status int
	// Body is the begin of the answer's text, which says what is wrong.
	Body string
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the desk answered %d %s", e.Status, e.Body))
}

// Agent is a desk that is called over HTTP. It may be used by several goroutines, and must not be copied.
type Agent struct {
	// Base is the desk's address without a path behind it: http://desk.coalmine:8080, or what the API server proxies to that,
	// https://HOST/api/v1/namespaces/coalmine/services/desk:8080/proxy.
	Base string
	// Transport carries the calls; nil is Go's default.
	Transport http.RoundTripper

	mu       sync.Mutex
	instance string
}

// Start tells the shards when to begin. While a shard is missing it is a [*StatusError] with status 409, whose body says which.
func (d *Agent) Start(ctx context.Context, s Start) error {
	return d.call(ctx, http.MethodPost, PathStart, s, nil)
}

// Stop ends the traffic, and returns when every shard has told its totals or one never will: then the status has a fault.
func (d *Agent) Stop(ctx context.Context, s Stop) (Status, error) {
	var status Status
	err := d.call(ctx, http.MethodPost, PathStop, s, &status)
	return status, err
}

// Release tells of the release.
func (d *Agent) Release(ctx context.Context, r Release) error {
	return d.call(ctx, http.MethodPost, PathReleased, r, nil)
}

// Status asks how the flight goes.
func (d *Agent) Status(ctx context.Context) (Status, error) {
	var status Status
	err := d.call(ctx, http.MethodGet, PathStatus, nil, &status)
	return status, err
}

// Weight asks for the share that a version of a service gets.
func (d *Agent) Weight(ctx context.Context, service, version string) (Weight, error) {
	var w Weight
	path := PathWeight + "?" + url.Values{"service": {service}, "version": {version}}.Encode()
	err := d.call(ctx, http.MethodGet, path, nil, &w)
	return w, err
}

// Facts opens the stream of facts behind fact number after. Its lines are for [Follow].
func (d *Agent) Facts(ctx context.Context, after int) (io.ReadCloser, error) {
	resp, err := d.send(ctx, http.MethodGet, PathFacts+"?after="+strconv.Itoa(after), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Commands asks what a shard has to do, and tells the desk that it is there. The answer comes when there are orders newer than those
// of the generation, or unchanged after a while.
func (d *Agent) Commands(ctx context.Context, s TrafficPod, after int) (Commands, error) {
	var o Commands
	err := d.call(ctx, http.MethodPost, PathCommands+"?after="+strconv.Itoa(after), s, &o)
	return o, err
}

// Report hands a shard's report in. A report may be posted again where it is not known whether it came.
func (d *Agent) Report(ctx context.Context, r Report) error {
	return d.call(ctx, http.MethodPost, PathReport, r, nil)
}

// ReportDrill hands in what became of a drill's probes.
func (d *Agent) ReportDrill(ctx context.Context, r DrillResult) error {
	return d.call(ctx, http.MethodPost, PathDrillResult, r, nil)
}

// maxAnswer bounds an answer; all are short.
const maxAnswer = 1 << 20

// call sends a value and reads another one, each nil for none.
func (d *Agent) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := d.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close() // what counts was read before
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// send returns an answer with status 200 of the same desk as before; everything else is an error.
func (d *Agent) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(d.Base, "/")+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: d.Transport}).Do(req)
	if err != nil {
		return nil, err
	}
	if err := d.check(resp); err != nil {
		resp.Body.Close() // the answer is of no use
		return nil, err
	}
	return resp, nil
}

// maxErrorText is how much of a refusal's text is kept.
const maxErrorText = 2 << 10

func (d *Agent) check(resp *http.Response) error {
	if err := d.checkInstance(resp.Header.Get(InstanceHeader)); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText)) // the status says enough
	return &StatusError{resp.StatusCode, strings.TrimSpace(string(text))}
}

// checkInstance remembers the desk's process at its first answer. An answer without a name is of who stands before the desk.
func (d *Agent) checkInstance(instance string) error {
	if instance == "" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.instance == "" {
		d.instance = instance
	}
	if d.instance != instance {
		return ErrRestarted
	}
	return nil
}
