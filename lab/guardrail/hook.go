package guardrail

import (
	"net/url"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
	"coalmine/lab/guardrail/loadtester"
)

// Hook is what a webhook of a Canary calls.
type Hook struct {
	// Gate is the call of one of the lab's gates; nil for other servers.
	Gate *GateCall
	// Tester is set if the lab answers as Flagger's load tester does. Otherwise the server is not in
	// the lab, and nothing is called.
	Tester bool
	// URL is what is called.
	URL *url.URL
	// Task is what a load tester answers to the webhook's metadata; zero for calls of gates.
	Task loadtester.Answer
}

const hookExample = "write http://HOST/PATH, such as http://flagger-loadtester.test/"

// maxHookURL is the length of a webhook's URL in bytes.
const maxHookURL = 2048

// ParseHook returns what a webhook calls. Its errors are of type *GateError.
func ParseHook(w flaggerv1.CanaryWebhook) (Hook, error) {
	u, err := url.Parse(w.URL)
	if err != nil || strings.EqualFold(u.Hostname(), GateHost) || u.Host == "" || u.Opaque != "" {
		call, err := ParseGate(w.URL)
		return Hook{Gate: &call, URL: u}, err
	}
	switch {
	case len(w.URL) > maxHookURL:
		return Hook{}, &GateError{"the URL is too long", "shorten it"}
	case u.Scheme != "http" && u.Scheme != "https":
		return Hook{}, &GateError{"Flagger calls webhooks by http or https, not by " + Clip(u.Scheme), hookExample}
	}
	h := Hook{URL: u}
	metadata := map[string]string{}
	if w.Metadata != nil {
		metadata = *w.Metadata
	}
	path := u.EscapedPath()
	// A script is for another load tester, such as one for k6.
	gate := strings.HasPrefix(path, "/gate/") || strings.HasPrefix(path, "/rollback/")
	h.Tester = loadtester.IsHost(u.Hostname()) && metadata["script"] == "" || gate || metadata["cmd"] != ""
	if h.Tester && !gate && w.Type != flaggerv1.EventHook {
		h.Task = loadtester.Task(metadata)
	}
	return h, nil
}

// leftOut says what of the webhook the lab does not play, or "".
func (h Hook) leftOut(t flaggerv1.HookType) string {
	taken := ", and is taken as passed"
	if t == flaggerv1.RollbackHook {
		taken = ", and is taken as no reason to roll back"
	}
	switch {
	case h.Gate != nil || t == flaggerv1.EventHook:
		return ""
	case !h.Tester:
		return Clip(h.URL.Host) + " is not called" + taken
	case h.Task.Kind == loadtester.KindTask:
		return "its " + Clip(h.Task.Name) + " task is not run" + taken
	case h.Task.Kind == loadtester.KindLoad && h.Task.Err != nil:
		return "its load test sends nothing: " + Clip(h.Task.Err.Error())
	}
	return ""
}

// LoadsCanary reports whether a load test of the Canary calls the canary's own Service.
func LoadsCanary(v *flaggerv1.Canary) bool {
	if v.Spec.Analysis == nil {
		return false
	}
	for _, w := range v.Spec.Analysis.Webhooks {
		h, err := ParseHook(w)
		if err != nil || h.Task.Kind != loadtester.KindLoad {
			continue
		}
		for _, l := range h.Task.Loads {
			name, _, _ := strings.Cut(l.URL.Hostname(), ".")
			if strings.HasSuffix(name, "-canary") {
				return true
			}
		}
	}
	return false
}

// hooksLeftOut returns the webhooks of a Canary that the lab does not play.
func hooksLeftOut(v *flaggerv1.Canary, at func(i int) string) []event.LeftOut {
	var list []event.LeftOut
	for i, w := range v.Spec.Analysis.Webhooks {
		h, err := ParseHook(w)
		if err != nil {
			continue
		}
		if reason := h.leftOut(w.Type); reason != "" {
			list = append(list, event.LeftOut{What: event.LeftOutWebhook, Name: w.Name, Canary: v.Name, Reason: reason,
				Source: at(i)})
		}
	}
	return list
}
