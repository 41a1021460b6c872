package agent

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// events takes what Flagger records on canaries. It sends each to its event webhook, or to those of type event of the canary instead
// (flagger, pkg/controller/events.go), and records a Kubernetes Event too: but of these client-go drops what comes after the first 25
// on an object (client-go, tools/record/events_cache.go), and a rollout has more.
type events struct {
	agent *Agent
	mu    sync.Mutex
	// last is the newest event of each canary, which comes once for each of its webhooks.
	last map[string]seenEvent
}

type seenEvent struct {
	fact event.Flagger
	at   time.Time
}

func newEvents(d *Agent) *events { return &events{agent: d, last: map[string]seenEvent{}} }

// serve is Flagger's event webhook.
func (e *events) serve(w http.ResponseWriter, r *http.Request) {
	payload, err := readPayload(r)
	if err != nil {
		http.Error(w, "this takes Flagger's events", http.StatusBadRequest)
		return
	}
	e.record(payload)
}

// dedupWindow is how far apart one event may arrive from several webhooks. Flagger says the same again after an interval at the earliest.
const dedupWindow = 5 * time.Second

// record notes an event at the time that Flagger says, in milliseconds.
func (e *events) record(p flaggerv1.CanaryWebhookPayload) {
	at := e.agent.now()
	if ms, err := strconv.ParseInt(p.Metadata["timestamp"], 10, 64); err == nil {
		at = time.UnixMilli(ms)
	}
	if p.Metadata["eventMessage"] == "" {
		return // another webhook that was led here
	}
	fact := event.Flagger{Canary: p.Name, Type: p.Metadata["eventType"], Message: client.Public(p.Metadata["eventMessage"])}
	e.mu.Lock()
	last := e.last[p.Name]
	again := last.fact == fact && at.Sub(last.at).Abs() < dedupWindow
	e.last[p.Name] = seenEvent{fact, at}
	e.mu.Unlock()
	if !again {
		e.agent.record(at, fact)
	}
}
