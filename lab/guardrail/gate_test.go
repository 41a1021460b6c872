package guardrail

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
)

func TestParseGate(t *testing.T) {
	for raw, want := range map[string]GateCall{
		"http://gate.coalmine/mtls":           {Gate: event.GateMTLS},
		"http://gate.coalmine:80/policy":      {Gate: event.GatePolicy},
		"http://gate.coalmine/rollback-drill": {Gate: event.GateRollbackDrill},
		"http://gate.coalmine/approve":        {Gate: event.GateApprove},
		"http://gate.coalmine/volume?min=200": {Gate: event.GateVolume, Min: 200},
		"http://gate.coalmine/cohort?name=insider&max-error=1.5&min=20": {Gate: event.GateCohort, Cohort: "insider",
			MaxError: 1.5, Min: 20},
		"http://gate.coalmine/cohort?max-error=0&name=mobile": {Gate: event.GateCohort, Cohort: "mobile"},
	} {
		got, err := ParseGate(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

const otherHost = "is not allowed: webhooks can only call gate.coalmine"

func TestParseGateErrors(t *testing.T) {
	for raw, reason := range map[string]string{
		"http://example.com/":                                   otherHost,
		"http://93.184.216.34/mtls":                             otherHost,
		"http://gate.coalmine.example.com/mtls":                 otherHost,
		"http://GATE.coalmine/mtls":                             otherHost,
		"http://gate.coalmine./mtls":                            otherHost,
		"http://gate.coalmine@example.com/mtls":                 otherHost,
		"http://169.254.169.254/latest/meta-data":               otherHost,
		"http://metadata.google.internal/":                      otherHost,
		"http://[::ffff:169.254.169.254]/":                      otherHost,
		"http://[fe80::1%25eth0]/":                              otherHost,
		"http://169.254.1.1/":                                   otherHost,
		"http://localhost/mtls":                                 otherHost,
		"http://a.localhost./mtls":                              otherHost,
		"http://127.0.0.1:8080/":                                otherHost,
		"http://127.1/":                                         otherHost,
		"http://2130706433/":                                    otherHost,
		"http://0x7f000001/":                                    otherHost,
		"http://0x7f.1/":                                        otherHost,
		"http://0177.0.0.1/":                                    otherHost,
		"http://0.0.0.0/":                                       otherHost,
		"http://0/":                                             otherHost,
		"http://[::1]/":                                         otherHost,
		"http://[::]/":                                          otherHost,
		"http://[::ffff:127.0.0.1]/":                            otherHost,
		"http://10.0.0.1/":                                      otherHost,
		"http://192.168.1.1/":                                   otherHost,
		"http://172.16.0.1/":                                    otherHost,
		"http://100.64.0.1/":                                    otherHost,
		"http://[fd00::1]/":                                     otherHost,
		"http://printer/":                                       otherHost,
		"http://printer.local/":                                 otherHost,
		"http://flagger-loadtester.test.svc/":                   otherHost,
		"http://prometheus.linkerd-viz.svc.cluster.local:9090/": otherHost,
		"https://gate.coalmine/mtls":                            "use http",
		"ftp://gate.coalmine/mtls":                              "use http",
		"http://gate.coalmine:8080/mtls":                        "port 80",
		"http://gate.coalmine:080/mtls":                         "port 80",
		"http://gate.coalmine:/mtls":                            "port 80",
		"http://user:secret@gate.coalmine/mtls":                 "user or password",
		"http://gate.coalmine/mtls#x":                           "empty query or a fragment",
		"http://gate.coalmine/mtls?":                            "empty query or a fragment",
		"http://gate.coalmine":                                  "no gate",
		"http://gate.coalmine/":                                 "no gate",
		"http://gate.coalmine/mtls/":                            "no gate",
		"http://gate.coalmine//mtls":                            "no gate",
		"http://gate.coalmine/%6dtls":                           "no gate",
		"http://gate.coalmine/x/../mtls":                        "no gate",
		"http://gate.coalmine/teapot":                           "no gate",
		"gate.coalmine/mtls":                                    "no host",
		"http:gate.coalmine/mtls":                               "no host",
		"//gate.coalmine/mtls":                                  "use http",
		"http://gate.coalmine/mtls\r\nHost: x":                  "not a URL",
		"http://[::1/":                                          "not a URL",
		"http://gate.coalmine/mtls?x=1":                         "no parameter x",
		"http://gate.coalmine/volume":                           "needs parameter min",
		"http://gate.coalmine/volume?min=0":                     "is not a number of requests",
		"http://gate.coalmine/volume?min=1e9":                   "is not a number of requests",
		"http://gate.coalmine/volume?min=-5":                    "is not a number of requests",
		"http://gate.coalmine/volume?min=5&min=6":               "is set twice",
		"http://gate.coalmine/volume?min=5;max=6":               "invalid parameters",
		"http://gate.coalmine/volume?max=5":                     "no parameter max",
		"http://gate.coalmine/cohort?name=a":                    "needs parameter max-error",
		"http://gate.coalmine/cohort?max-error=1":               "needs parameter name",
		"http://gate.coalmine/cohort?name=&max-error=1":         "is not the name of a cohort",
		"http://gate.coalmine/cohort?name=a&max-error=101":      "is not a percentage",
		"http://gate.coalmine/cohort?name=a&max-error=NaN":      "is not a percentage",
		"http://gate.coalmine/" + strings.Repeat("a", 600):      "longer than",
	} {
		call, err := ParseGate(raw)
		var refused *GateError
		if !errors.As(err, &refused) {
			t.Errorf("%s: accepted as %+v (%v)", raw, call, err)
			continue
		}
		if !strings.Contains(refused.Message, reason) {
			t.Errorf("%s: %s; want %q", raw, refused.Message, reason)
		}
		if refused.Hint == "" {
			t.Errorf("%s: no hint", raw)
		}
	}
}

// gateURL generates URLs from parts on which URL parsers disagree.
func gateURL() *rapid.Generator[string] {
	part := rapid.SampledFrom([]string{"http", "https", ":", "//", "/", "\\", "@", "#", "?", "gate.coalmine",
		"GATE.COALMINE", ".", "127.0.0.1",
		"[::1]", "localhost", "80", "8080", "%2f", "%00", "\t", "\n", " ", "mtls", "volume", "min=1",
		"cohort?name=a&max-error=1",
		"evil.com", ";", "&", "user:pass@"})
	return rapid.Custom(func(t *rapid.T) string {
		prefix := rapid.SampledFrom([]string{"", "http://", "http://gate.coalmine", "http://gate.coalmine/",
			"http://gate.coalmine:80/", "http://gate.coalmine/mtls"}).Draw(t, "prefix")
		return prefix + strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, "parts"), "")
	})
}

func TestAcceptedGateIsOnGateHost(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		raw := gateURL().Draw(t, "url")
		if _, err := ParseGate(raw); err != nil {
			return
		}
		accepted++
		// Compare what an HTTP client would dial with what a simple reader would see.
		u, err := url.Parse(raw)
		if err != nil || u.Hostname() != GateHost || u.Scheme != "http" || u.User != nil ||
			(u.Port() != "" && u.Port() != "80") {
			t.Fatalf("accepted %q", raw)
		}
		if rest, ok := strings.CutPrefix(raw,
			"http://"+GateHost); !ok || !(strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, ":80/")) {
			t.Fatalf("accepted %q", raw)
		}
	})
	if accepted == 0 {
		t.Fatal("the generator produced no accepted URL")
	}
}

func FuzzParseGate(f *testing.F) {
	f.Add("http://gate.coalmine/cohort?name=insider&max-error=1.5")
	f.Add("http://user@gate.coalmine:80/volume?min=1#x")
	f.Add("http://0x7f.1/")
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := ParseGate(raw)
		if err == nil && !strings.HasPrefix(raw, "http://"+GateHost+"/") && !strings.HasPrefix(raw,
			"http://"+GateHost+":80/") {
			t.Fatalf("accepted %q", raw)
		}
	})
}
