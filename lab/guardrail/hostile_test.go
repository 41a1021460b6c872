package guardrail

import (
	"fmt"
	"strings"
	"testing"
)

const hostileScaler = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  maxReplicas: 3
  metrics: [{type: External, external: {metric: {name: x}, target: {type: Value, value: %s}}}]
`

// TestParseBoundsQuantities takes minutes if a quantity with a large exponent is parsed.
func TestParseBoundsQuantities(t *testing.T) {
	for value, want := range map[string]string{
		`"1e-2147483648"`:                          "is not a valid Quantity",
		`"1e2147483647"`:                           "is not a valid Quantity",
		`"1E100000000"`:                            "is not a valid Quantity",
		`"1e-2147483648 "`:                         "is not a valid Quantity",
		`"` + strings.Repeat("9", 100_000) + `"`:   "is not a valid Quantity",
		`"0.` + strings.Repeat("0", 100_000) + `"`: "is not a valid Quantity",
		`1e300`:    "is not a valid Quantity",
		`[1]`:      "is not a valid Quantity",
		`"1Xi"`:    "is not a valid Quantity",
		`"500m"`:   "",
		`".5"`:     "",
		`"+1.5Gi"`: "",
		`"1e3"`:    "",
		`"12E-2"`:  "",
		`2`:        "",
		`1.5`:      "",
	} {
		_, err := parseText(fmt.Sprintf(hostileScaler, value))
		if want == "" && err != nil {
			t.Errorf("%s: %v", Clip(value), err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", Clip(value), err, want)
		}
	}
}

// hostileCanary is a Canary whose analysis is given.
func hostileCanary(service, analysis string) string {
	return `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: backend}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    gatewayRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
` + service + `  analysis:
    interval: 30s
    threshold: 2
` + analysis
}

// TestParseBoundsRegularExpressions takes minutes and gigabytes if what it parses is compiled.
func TestParseBoundsRegularExpressions(t *testing.T) {
	costly := strings.Repeat("(a|b){0,999}", 42)
	headers, queries := "", ""
	for i := range 1700 {
		headers += fmt.Sprintf("h%d: {regex: %q},", i, costly)
	}
	matchers := strings.Repeat(`l=~"(a*){0,999}(a*){0,999}(a*){0,999}",`, 90)
	for i := range 30 {
		queries += fmt.Sprintf("      - {name: m%d, query: 'sum(response_total{%s})', thresholdRange: {min: 0}}\n",
			i, matchers)
	}
	small := strings.Repeat("(a|b){0,90}", 5)
	for name, c := range map[string]struct{ text, want string }{
		"headers of an A/B test": {hostileCanary("", "    iterations: 5\n    match: [{headers: {"+headers+"}}]\n"),
			"has 1700 entries"},
		"headers of the service": {hostileCanary("    match: [{headers: {"+headers+"}}]\n", "    iterations: 5\n"),
			"has 1700 entries"},
		"one header": {hostileCanary("", "    iterations: 5\n    match: [{headers: {a: {regex: '"+costly+
			"'}}}]\n"), "is too costly"},
		"path of the service": {hostileCanary("    match: [{uri: {regex: '"+costly+"'}}]\n",
			"    iterations: 5\n"), "is too costly"},
		"matchers":                {hostileCanary("", "    iterations: 5\n    metrics:\n"+queries), "is too costly"},
		"many that are not large": {manyRoutes(small), "regular expressions of all manifests are too costly"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseText(c.text)
			wantError(t, err, c.want)
		})
	}
}

// manyRoutes are routes that match each of their headers by the regular expression.
func manyRoutes(expr string) string {
	matches := strings.Repeat("{headers: [{type: RegularExpression, name: h, value: '"+expr+"'}]},", 60)
	text := ""
	for i := range 5 {
		text += fmt.Sprintf(`---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r%d}
spec:
  parentRefs: [{group: core, kind: Service, name: backend, port: 80}]
  rules: [{matches: [%s], backendRefs: [{name: backend, port: 80}]}]
`, i, matches)
	}
	return text
}

func TestParseBoundsQueries(t *testing.T) {
	metrics := ""
	for i := range MaxItems {
		metrics += fmt.Sprintf("      - {name: m%d, query: sum(response_total), thresholdRange: {min: 0}}\n", i)
	}
	canary := hostileCanary("", "    iterations: 5\n    metrics:\n"+metrics)
	text := ""
	for i := range 2 {
		text += "---\n" + strings.Replace(canary, "name: backend}", fmt.Sprintf("name: c%d}", i), 1)
	}
	set, _ := parseText(text)
	left := 0
	for _, o := range set.Objects {
		left += len(set.LeftOut(o))
	}
	if want := 2*MaxItems - MaxQueries; left != want {
		t.Errorf("%d checks are left out, want %d", left, want)
	}
}

func TestFileNamesCannotSteerATerminal(t *testing.T) {
	for _, name := range []string{
		"\x1b]0;title\a\x1b[2J.yaml", "a\nerror: b.yaml", "a\r.yaml", "\u009b2J.yaml", "\x9b2J.yaml",
		"\u202elmay.yaml", "a\u2028b.yaml",
	} {
		_, err := Parse(map[string][]byte{name: []byte(configMap)}, testEnvironment())
		wantError(t, err, "has characters that cannot be shown")
		for _, f := range err.(Errors) {
			if text := f.String(); !isGraphic(text) || strings.Contains(text, name) {
				t.Errorf("%q: the finding is %q", name, text)
			}
		}
	}
}

// A cluster refuses Flagger's route with such a name, and the Canary is never initialized.
func TestNamesOfHeaders(t *testing.T) {
	for _, name := range []string{`a b`, `a\e`, ``, `é`, `a:b`, strings.Repeat("a", 257)} {
		for _, text := range []string{
			hostileCanary("", "    iterations: 5\n    match: [{headers: {\""+name+"\": {exact: x}}}]\n"),
			hostileCanary("", "    iterations: 5\n    match: [{queryParams: {\""+name+"\": {exact: x}}}]\n"),
			hostileCanary("    match: [{headers: {\""+name+"\": {exact: x}}}]\n", "    iterations: 5\n"),
			hostileCanary("    headers: {request: {add: {\""+name+"\": x}}}\n", "    iterations: 5\n"),
			hostileCanary("    headers: {response: {set: {\""+name+"\": x}}}\n", "    iterations: 5\n"),
			hostileCanary("    headers: {request: {remove: [\""+name+"\"]}}\n", "    iterations: 5\n"),
		} {
			_, err := parseText(text)
			wantError(t, err, "is not the name of a header or parameter")
		}
	}
	_, err := parseText(hostileCanary("    headers: {request: {add: {X-Request_Id.2: x}}}\n", "    iterations: 5\n"))
	if err != nil && strings.Contains(err.Error(), "is not the name of a header") {
		t.Error(err)
	}
}
