package model

import (
	"net/url"
	"path"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
)

func (m *annotator) annotateWebhooks(o object) {
	for _, f := range o.items("spec", "analysis", "webhooks") {
		item := object{f.Value}
		address := item.text("url")
		gate := gateOf(address)
		w, ok := m.check(true, gate, address)
		switch {
		case ok:
			severity := m.severity(w)
			if severity == narrative.Bad && w.Failed == 0 {
				severity = narrative.Info // a gate that checks something else is not blind
			}
			m.note(f, severity, w.First.Seq, "%s", w.Text(m.run.Timeline))
		case gate != "" && gate != event.GateEvents:
			m.note(f, narrative.Warning, 0, "not evaluated in this run")
		}
	}
}

// gateOf returns the gate that a webhook calls.
func gateOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Path == "" {
		return ""
	}
	return path.Base(u.Path)
}

// annotateLostPoints points at where an item that lost points wants something to be written.
func (m *annotator) annotateLostPoints(o object) {
	for _, i := range m.trial.Card.Items {
		if i.Points >= i.Max {
			continue
		}
		switch i.ID {
		case "mtls":
			m.annotateGate(o, i, event.GateMTLS)
		case "policy":
			m.annotateGate(o, i, event.GatePolicy)
		case "rehearsed":
			m.annotateGate(o, i, event.GateRollbackDrill)
		case "preconditions":
			for _, p := range m.trial.Card.Preconditions {
				gate, ok := gatesByPrecondition()[p.Name]
				if ok && !p.Seen && slices.Contains(m.trial.Scenario.Rubric.Preconditions, p.Name) {
					m.annotateGate(o, i, gate)
				}
			}
		case "experiment-bounded":
			m.note(o.nearest("metadata", "annotations").head(), narrative.Warning, 0, "%s: %s", i.Title, i.Reason)
		}
	}
}

// gatesByPrecondition are the gates by the precondition that they prove.
func gatesByPrecondition() map[string]string {
	return map[string]string{"mtls": event.GateMTLS, "policy": event.GatePolicy, "rehearsal": event.GateRollbackDrill}
}

// annotateGate notes where a gate is called too late, or where it could be called.
func (m *annotator) annotateGate(o object, i score.Item, gate string) {
	for _, f := range o.items("spec", "analysis", "webhooks") {
		if gateOf((object{f.Value}).text("url")) == gate {
			m.note(f, narrative.Warning, 0, "%s: %s", i.Title, i.Reason)
			return
		}
	}
	m.note(o.nearest("spec", "analysis", "webhooks").head(), narrative.Warning, 0, "no webhook calls the gate %s: %s",
		gate, i.Reason)
}
