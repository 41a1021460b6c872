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

// InstanceHeader is on every response of an agent. It identifies the process, as another one does
// not know what this one was told.
const InstanceHeader = "Coalmine-Agent"

// ErrRestarted is the error for an agent that is another process than before. The facts of the
// first one are lost.
var ErrRestarted = errors.New("the agent was restarted, and its facts are lost")

// StatusError is a response other than 200, of the agent or of a proxy in front of it.
type StatusError struct {
	Status int
	// Body is the beginning of the response, which says what is wrong.
	Body string
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the agent answered %d %s", e.Status, e.Body))
}

// Agent is a client of the agent. It is safe for concurrent use and must not be copied.
type Agent struct {
	// Base is the agent's URL without a path, such as http://agent.coalmine:8080, or what the API
	// server proxies to it: https://HOST/api/v1/namespaces/coalmine/services/agent:8080/proxy.
	Base string
	// Transport sends the requests; nil is Go's default.
	Transport http.RoundTripper

	mu       sync.Mutex
	instance string
}

// Start starts the traffic. While a traffic pod is missing, the error is a [*StatusError] with
// status 409, whose body names the pod.
func (a *Agent) Start(ctx context.Context, s Start) error {
	return a.call(ctx, http.MethodPost, PathStart, s, nil)
}

// Stop ends the traffic. It returns when every traffic pod has reported its totals, or one never
// will: then the status has a fault.
func (a *Agent) Stop(ctx context.Context, s Stop) (Status, error) {
	var status Status
	err := a.call(ctx, http.MethodPost, PathStop, s, &status)
	return status, err
}

// Release tells the agent about the release.
func (a *Agent) Release(ctx context.Context, r Release) error {
	return a.call(ctx, http.MethodPost, PathReleased, r, nil)
}

// Status returns the progress of the run.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	var status Status
	err := a.call(ctx, http.MethodGet, PathStatus, nil, &status)
	return status, err
}

// Weight returns a version's share of the traffic to a service.
func (a *Agent) Weight(ctx context.Context, service, version string) (Weight, error) {
	var w Weight
	path := PathWeight + "?" + url.Values{"service": {service}, "version": {version}}.Encode()
	err := a.call(ctx, http.MethodGet, path, nil, &w)
	return w, err
}

// Facts opens the stream of facts after fact number after. Its lines are for [Follow].
func (a *Agent) Facts(ctx context.Context, after int) (io.ReadCloser, error) {
	resp, err := a.send(ctx, http.MethodGet, PathFacts+"?after="+strconv.Itoa(after), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Commands returns the commands for a traffic pod, and tells the agent that the pod is there. It
// returns when there are commands newer than the generation, or unchanged ones after a while.
func (a *Agent) Commands(ctx context.Context, pod TrafficPod, after int) (Commands, error) {
	var o Commands
	err := a.call(ctx, http.MethodPost, PathCommands+"?after="+strconv.Itoa(after), pod, &o)
	return o, err
}

// Report sends a traffic pod's report. It may be repeated if it is not known whether it arrived.
func (a *Agent) Report(ctx context.Context, r Report) error {
	return a.call(ctx, http.MethodPost, PathReport, r, nil)
}

// ReportDrill sends the result of a drill's probes.
func (a *Agent) ReportDrill(ctx context.Context, r DrillResult) error {
	return a.call(ctx, http.MethodPost, PathDrillResult, r, nil)
}

// maxAnswer bounds a response, in bytes; all are short.
const maxAnswer = 1 << 20

// call sends in and decodes the response into out. Either may be nil.
func (a *Agent) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := a.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close() // everything of interest was read
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

// send returns a response with status 200 of the same process as before. Anything else is an error.
func (a *Agent) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.Base, "/")+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: a.Transport}).Do(req)
	if err != nil {
		return nil, err
	}
	if err := a.check(resp); err != nil {
		resp.Body.Close() // the response is of no use
		return nil, err
	}
	return resp, nil
}

// maxErrorText is how much of an error's text is kept, in bytes.
const maxErrorText = 2 << 10

func (a *Agent) check(resp *http.Response) error {
	if err := a.checkInstance(resp.Header.Get(InstanceHeader)); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText)) // the status says enough
	return &StatusError{resp.StatusCode, strings.TrimSpace(string(text))}
}

// checkInstance remembers the agent's process at its first response. A response without the header
// comes from a proxy.
func (a *Agent) checkInstance(instance string) error {
	if instance == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.instance == "" {
		a.instance = instance
	}
	if a.instance != instance {
		return ErrRestarted
	}
	return nil
}
