package guardrail

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"coalmine/lab/event"
)

// GateHost is the lab's gate server, on port 80. It is the only host that a webhook may call.
const GateHost = "gate.coalmine"

// maxGateRequests is the largest number of requests that a gate may require. No plan has more.
const maxGateRequests = 1_000_000_000

// GateCall is the call of a gate that a webhook's URL describes. Fields for which the gate has no
// parameter are zero.
type GateCall struct {
	// Gate is one of the Gate constants of package event.
	Gate string
	// Min is the number of requests that the gates volume (1 or more) and cohort (0 or more)
	// require.
	Min int
	// Cohort is the name of the cohort that gate cohort checks.
	Cohort string
	// MaxError is the percentage of failed requests that gate cohort accepts, 0 to 100.
	MaxError float64
}

// gateParameters returns the query parameters of a gate. Required ones end in "!".
func gateParameters(gate string) ([]string, bool) {
	switch gate {
	case event.GateMTLS, event.GatePolicy, event.GateRollbackDrill, event.GateApprove, event.GateEvents:
		return nil, true
	case event.GateVolume:
		return []string{"min!"}, true
	case event.GateCohort:
		return []string{"max-error!", "min", "name!"}, true
	}
	return nil, false
}

// GateError says why a webhook's URL is not allowed.
type GateError struct {
	// Message says what is wrong, Hint what to do.
	Message, Hint string
}

func (e *GateError) Error() string { return e.Message + "; " + e.Hint }

// ParseGate parses the URL of a webhook, http://gate.coalmine/GATE?PARAMETERS. Its errors are of
// type *GateError. The lab's gate server uses it too, so that it accepts the same calls.
func ParseGate(raw string) (GateCall, error) {
	if len(raw) > 512 {
		return GateCall{}, &GateError{"the URL is longer than 512 bytes", gateExample}
	}
	u, err := url.Parse(raw)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return GateCall{}, &GateError{"not a URL: " + Clip(err.Error()), gateExample}
	}
	if err := checkGateAddress(u); err != nil {
		return GateCall{}, err
	}
	gate := strings.TrimPrefix(u.Path, "/")
	allowed, known := gateParameters(gate)
	if !known || u.EscapedPath() != "/"+gate {
		return GateCall{}, &GateError{"there is no gate " + Clip(u.EscapedPath()), gateList}
	}
	return parseParameters(gate, allowed, u.RawQuery)
}

const (
	gateExample = "write http://" + GateHost + "/GATE, for example http://" + GateHost + "/volume?min=100"
	gateList    = "the gates are /mtls, /policy, /rollback-drill, /volume, /cohort, /approve"
)

// checkGateAddress checks everything but path and parameters.
func checkGateAddress(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Host == "":
		return &GateError{"the URL has no host", gateExample}
	case u.Hostname() != GateHost:
		return &GateError{"host " + Clip(u.Hostname()) + " is not allowed: webhooks can only call " + GateHost,
			gateExample}
	case u.Scheme != "http":
		return &GateError{"the gates use http, not " + Clip(u.Scheme), "write http://" + GateHost}
	case u.User != nil:
		return &GateError{"the URL must not contain a user or password", "remove them"}
	case u.Port() != "" && u.Port() != "80" || u.Host != GateHost && u.Host != GateHost+":80":
		return &GateError{"the gates listen on port 80, not on " + Clip(u.Host), "remove the port"}
	case u.Fragment != "" || u.RawFragment != "" || u.ForceQuery:
		return &GateError{"the URL has an empty query or a fragment", "remove the ? or #"}
	}
	return nil
}

func parseParameters(gate string, allowed []string, rawQuery string) (GateCall, error) {
	call := GateCall{Gate: gate}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return GateCall{}, &GateError{"invalid parameters: " + Clip(err.Error()), "write ?name=value&name=value"}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(allowed, name) && !slices.Contains(allowed, name+"!") {
			return GateCall{}, &GateError{"gate " + gate + " has no parameter " + Clip(name), parameterHint(allowed)}
		}
		if len(values[name]) > 1 {
			return GateCall{}, &GateError{"parameter " + name + " is set twice", "keep one of them"}
		}
		if err := call.setParameter(name, values.Get(name)); err != nil {
			return GateCall{}, err
		}
	}
	for _, name := range allowed {
		if must, ok := strings.CutSuffix(name, "!"); ok && !values.Has(must) {
			return GateCall{}, &GateError{"gate " + gate + " needs parameter " + must, parameterHint(allowed)}
		}
	}
	return call, nil
}

func parameterHint(allowed []string) string {
	if len(allowed) == 0 {
		return "the gate has no parameters"
	}
	return "the parameters are " + strings.ReplaceAll(strings.Join(allowed, ", "), "!", "")
}

// setParameter parses one parameter.
func (g *GateCall) setParameter(name, value string) error {
	switch name {
	case "min":
		n, err := strconv.Atoi(value)
		least := 0
		if g.Gate == event.GateVolume {
			least = 1
		}
		if err != nil || n < least || n > maxGateRequests {
			return &GateError{"min=" + Clip(value) + " is not a number of requests",
				fmt.Sprintf("write an integer of at least %d", least)}
		}
		g.Min = n
	case "max-error":
		share, err := strconv.ParseFloat(value, 64)
		if err != nil || !(share >= 0 && share <= 100) {
			return &GateError{"max-error=" + Clip(value) + " is not a percentage",
				"write a number from 0 to 100, for example max-error=1.5"}
		}
		g.MaxError = share
	case "name":
		if problems := validation.IsDNS1123Label(value); len(problems) > 0 {
			return &GateError{"name=" + Clip(value) + " is not the name of a cohort",
				"write the name of one of the scenario's cohorts"}
		}
		g.Cohort = value
	}
	return nil
}
