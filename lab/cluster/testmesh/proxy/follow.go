package proxy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/testmesh/wire"
)

// Limits of calls to the control plane.
const (
	callTimeout = 10 * time.Second
	// pollTimeout is somewhat longer than the control plane lets a poll wait.
	pollTimeout    = 45 * time.Second
	maxAnswer      = 64 << 20
	pollBackoffMin = 200 * time.Millisecond
	pollBackoffMax = 5 * time.Second
)

// pollBackoff paces calls to the control plane. With its jitter, proxies do not return all at once.
func pollBackoff() backoff.Backoff {
	return backoff.Backoff{Min: pollBackoffMin, Max: pollBackoffMax, Jitter: true}
}

// followConfig keeps the state up to date. While the control plane is unreachable, the last state
// applies.
func (p *Proxy) followConfig(ctx context.Context) {
	pause := pollBackoff()
	for ctx.Err() == nil {
		err := p.poll(ctx, pause.Reset)
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("cannot get the state of the cluster, the last one applies", "error", err)
		if pause.Wait(ctx) != nil {
			return
		}
	}
}

// poll fetches newer snapshots until that fails. The next call reads the trust anchors again.
func (p *Proxy) poll(ctx context.Context, succeeded func()) error {
	client, err := p.controlClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for {
		next, err := p.pollOnce(ctx, client)
		if err != nil {
			return err
		}
		succeeded()
		if next != nil {
			p.applySnapshot(next)
		}
	}
}

// pollOnce returns a newer snapshot than the current one, nil if there is none.
func (p *Proxy) pollOnce(ctx context.Context, client *http.Client) (*wire.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	u := p.cfg.Control.JoinPath(wire.PathConfig)
	if state := p.current(); state.loaded {
		u.RawQuery = url.Values{"after": {strconv.FormatUint(state.generation, 10)}}.Encode()
	}
	var s wire.Snapshot
	got, err := p.call(ctx, client, http.MethodGet, u, nil, &s)
	if err != nil || !got {
		return nil, err
	}
	return &s, nil
}

// applySnapshot makes a snapshot the current state.
func (p *Proxy) applySnapshot(s *wire.Snapshot) {
	state, err := newState(s, p.cfg.Namespace, p.cfg.Pod, p.current().self)
	if err != nil {
		p.log.Warn("routes are ignored", "error", err)
	}
	p.apply(state)
}

// controlClient returns a client that trusts only the trust anchors.
func (p *Proxy) controlClient() (*http.Client, error) {
	roots, err := p.roots()
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: p.cfg.Dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots},
		DisableCompression: true,
	}}, nil
}

// call sends a request with the token of the service account and decodes the response into into. It
// returns false for a response without content.
func (p *Proxy) call(ctx context.Context, client *http.Client, method string, u *url.URL, body io.Reader,
	into any) (got bool, err error) {
	token, err := os.ReadFile(p.cfg.TokenFile)
	if err != nil {
		return false, fmt.Errorf("token of the service account: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := client.Do(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() // everything of interest was read
	switch resp.StatusCode {
	case http.StatusNoContent:
		return false, nil
	case http.StatusOK:
	default:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return false, fmt.Errorf("%s %s: %s: %s", method, u.Path, resp.Status,
			printable(strings.TrimSpace(string(text))))
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return false, fmt.Errorf("%s %s: %w", method, u.Path, err)
	}
	return true, nil
}
