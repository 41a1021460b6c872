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

// events receives what Flagger records on canaries. Flagger posts each event to its event webhook,
// or to the canary's own webhooks of type event (flagger, pkg/controller/events.go). It creates
// Kubernetes Events as well, but client-go drops those after the first 25 on an object (client-go,
// tools/record/events_cache.go), and a rollout has more.
type events struct {
	agent *Agent
	mu    sync.Mutex
	// last is the newest event of each canary, to drop copies from the canary's other webhooks.
	last map[string]seenEvent
}

type seenEvent struct {
	fact event.Flagger
	at   time.Time
}

func newEvents(a *Agent) *events { return &events{agent: a, last: map[string]seenEvent{}} }

// serve is Flagger's event webhook.
func (e *events) serve(w http.ResponseWriter, r *http.Request) {
	payload, err := readPayload(r)
	if err != nil {
		http.Error(w, "the body is not an event of Flagger", http.StatusBadRequest)
		return
	}
	e.record(payload)
}

// dedupWindow is how far apart the copies of one event may arrive. Flagger repeats an event after
// an analysis interval at the earliest.
const dedupWindow = 5 * time.Second

// record records an event at the time in its metadata, in milliseconds.
func (e *events) record(p flaggerv1.CanaryWebhookPayload) {
	at := e.agent.now()
	if ms, err := strconv.ParseInt(p.Metadata["timestamp"], 10, 64); err == nil {
		at = time.UnixMilli(ms)
	}
	if p.Metadata["eventMessage"] == "" {
		return // the payload of another kind of webhook
	}
	fact := event.Flagger{Canary: p.Name, Type: p.Metadata["eventType"],
		Message: client.Public(p.Metadata["eventMessage"])}
	e.mu.Lock()
	last := e.last[p.Name]
	repeated := last.fact == fact && at.Sub(last.at).Abs() < dedupWindow
	e.last[p.Name] = seenEvent{fact, at}
	e.mu.Unlock()
	if !repeated {
		e.agent.record(at, fact)
	}
}
