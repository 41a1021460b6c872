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

// GateHost is the only host that a webhook may call: the lab's own gate server, on port 80.
const GateHost = "gate.coalmine"

// maxGateRequests bounds the number of requests that a gate may be told to wait for; no plan has more.
const maxGateRequests = 1_000_000_000

// GateCall is a call of a gate, as the URL of a webhook asks for it. Fields that a gate has no parameter for are zero.
type GateCall struct {
	// Gate is one of the Gate constants of package event.
	Gate string
	// Min is the number of requests below which the gate says no. Gates volume (at least 1) and cohort (0 for any).
	Min int
	// Cohort names the users that gate cohort looks at.
	Cohort string
	// MaxError is the share of bad requests that gate cohort accepts, in percent, 0 to 100.
	MaxError float64
}

// gateParameters are the query parameters by gate; those that must be there end in "!".
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

// GateError is why a webhook's URL is refused.
type GateError struct {
	// What is wrong, and what to do.
	What, Hint string
}

func (e *GateError) Error() string { return e.What + "; " + e.Hint }

// ParseGate reads the URL of a webhook: http://gate.coalmine/GATE?PARAMETERS. Its errors are of type *GateError.
// The lab's gate server reads requests with it too, so that what was accepted is what is answered.
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
		return GateCall{}, &GateError{"not a URL: " + clip(err.Error()), gateExample}
	}
	if err := checkGateAddress(u); err != nil {
		return GateCall{}, err
	}
	gate := strings.TrimPrefix(u.Path, "/")
	allowed, known := gateParameters(gate)
	if !known || u.EscapedPath() != "/"+gate {
		return GateCall{}, &GateError{"there is no gate " + clip(u.EscapedPath()), "the gates are /mtls, /policy, /rollback-drill, /volume, /cohort, /approve"}
	}
	return parseParameters(gate, allowed, u.RawQuery)
}

const gateExample = "write http://" + GateHost + "/GATE, as in http://" + GateHost + "/volume?min=100"

// checkGateAddress checks everything before the path.
func checkGateAddress(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Host == "":
		return &GateError{"the URL has no host", gateExample}
	case u.Hostname() != GateHost:
		return &GateError{"host " + clip(u.Hostname()) + " is refused: " + hostReason(u.Hostname()), "the lab answers webhooks at " + GateHost + " only; use one of its gates"}
	case u.Scheme != "http":
		return &GateError{"the gates speak http, not " + clip(u.Scheme), "write http://" + GateHost}
	case u.User != nil:
		return &GateError{"user and password are refused: gates ask for none", "take them out"}
	case u.Port() != "" && u.Port() != "80" || u.Host != GateHost && u.Host != GateHost+":80":
		return &GateError{"the gates listen on port 80, not on " + clip(u.Host), "leave the port out"}
	case u.Fragment != "" || u.RawFragment != "" || u.ForceQuery:
		return &GateError{"the URL ends in # or ?", "take it out"}
	}
	return nil
}

func parseParameters(gate string, allowed []string, rawQuery string) (GateCall, error) {
	call := GateCall{Gate: gate}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return GateCall{}, &GateError{"the parameters are malformed: " + clip(err.Error()), "write ?name=value&name=value"}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(allowed, name) && !slices.Contains(allowed, name+"!") {
			return GateCall{}, &GateError{"gate " + gate + " has no parameter " + clip(name), parameterHint(allowed)}
		}
		if len(values[name]) > 1 {
			return GateCall{}, &GateError{"parameter " + name + " is there twice", "keep one of them"}
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
		return "it takes none"
	}
	return "it takes " + strings.ReplaceAll(strings.Join(allowed, ", "), "!", "")
}

// setParameter reads one parameter.
func (g *GateCall) setParameter(name, value string) error {
	switch name {
	case "min":
		n, err := strconv.Atoi(value)
		least := 0
		if g.Gate == event.GateVolume {
			least = 1
		}
		if err != nil || n < least || n > maxGateRequests {
			return &GateError{"min=" + clip(value) + " is no number of requests", fmt.Sprintf("write a whole number from %d", least)}
		}
		g.Min = n
	case "max-error":
		share, err := strconv.ParseFloat(value, 64)
		if err != nil || !(share >= 0 && share <= 100) {
			return &GateError{"max-error=" + clip(value) + " is no percentage", "write a number from 0 to 100, as in max-error=1.5"}
		}
		g.MaxError = share
	case "name":
		if problems := validation.IsDNS1123Label(value); len(problems) > 0 {
			return &GateError{"name=" + clip(value) + " is no cohort's name", "write the name of one of the scenario's cohorts"}
		}
		g.Cohort = value
	}
	return nil
}
