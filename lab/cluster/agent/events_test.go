package agent_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// TestFlaggersEvents: an event is recorded once for each time, however many webhooks carry it.
func TestFlaggersEvents(t *testing.T) {
	a := open(t, agent.Config{Scenario: shop(t), Spec: guarded()})
	begin := time.UnixMilli(1_700_000_000_123)
	said := func(path, message string, after time.Duration) {
		t.Helper()
		status, text := post(t, a.gates+path, fmt.Sprintf(
			`{"name":"checkout-watch","namespace":"develop","phase":"Progressing","metadata":{"eventMessage":%q,"eventType":"Warning","timestamp":"%d"}}`,
			message, begin.Add(after).UnixMilli()))
		if status != 200 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	own := "/hooks/checkout-watch/event/events"
	said(own, "Halt", 0)
	said(own, "Halt", 20*time.Millisecond) // by the canary's second webhook
	said(own, "Halt", 10*time.Second)      // an interval later
	said(client.PathEvents, "no values at http://gate.coalmine/prometheus/checkout-watch.develop", 11*time.Second)
	if status, _ := post(t, a.gates+client.PathEvents, "not JSON"); status != 400 {
		t.Errorf("not an event: %d", status)
	}
	var want []event.Fact
	for _, message := range []string{"Halt", "Halt", "no values at http://prometheus.linkerd-viz:9090"} {
		want = append(want, event.Flagger{Canary: "checkout-watch", Type: "Warning", Message: message})
	}
	if diff := cmp.Diff(want, a.facts()); diff != "" {
		t.Error(diff)
	}
}
