package scenario

import (
	"math"
	"slices"

	"coalmine/lab/service"
)

// maxVary limits how many parameters of a scenario vary.
const maxVary = 20

// variable says what a parameter of [Vary] may be.
type variable struct {
	parameter string
	// of is what has the parameter: "fault", "cohort" or "service".
	of string
	// over and upTo bound the range: over < min, max ≤ upTo. With fromZero, min may be 0.
	upTo     float64
	fromZero bool
	unit     string
}

func variables() []variable {
	return []variable{
		{parameter: VaryFaultShare, of: "fault", upTo: 1, unit: "a share"},
		{parameter: VaryFaultUsers, of: "fault", upTo: 1, unit: "a share"},
		{parameter: VaryFaultLoad, of: "fault", upTo: 1000, unit: "a whole number of requests"},
		{parameter: VaryLatencyFactor, of: "fault", upTo: 100, unit: "a factor"},
		{parameter: VaryOnset, of: "fault", upTo: maxHorizon.Seconds(), fromZero: true, unit: "seconds"},
		{parameter: VaryCohortShare, of: "cohort", upTo: 1, unit: "a share"},
		{parameter: VaryErrorRateFactor, of: "service", upTo: 100, fromZero: true, unit: "a factor"},
		{parameter: VaryCallTimeoutFactor, of: "service", upTo: 100, unit: "a factor"},
	}
}

func (v *validator) vary() {
	s := v.scenario
	if n := len(s.Vary); n > maxVary {
		v.add(fieldPath{"vary"}, "there are %d parameters: write at most %d", n, maxVary)
	}
	var parameters []string
	for _, x := range variables() {
		parameters = append(parameters, x.parameter)
	}
	for i, entry := range s.Vary {
		at := fieldPath{"vary", i}
		n := slices.Index(parameters, entry.Parameter)
		if n < 0 {
			v.known(at.child("parameter"), "parameter", entry.Parameter, parameters)
			continue
		}
		if slices.ContainsFunc(s.Vary[:i], func(o Vary) bool { return o.Name() == entry.Name() }) {
			v.add(at, "%s varies already: keep one entry", entry.Name())
		}
		v.varyRange(at, entry, variables()[n])
		v.varyTarget(at, entry, variables()[n])
	}
	v.varyShares()
}

func (v *validator) varyRange(at fieldPath, entry Vary, x variable) {
	finite := !math.IsNaN(entry.Min) && !math.IsNaN(entry.Max)
	if !finite || entry.Min >= entry.Max {
		v.add(at.child("max"), "the range is %v to %v: write a max above min", entry.Min, entry.Max)
		return
	}
	if entry.Min < 0 || entry.Min == 0 && !x.fromZero {
		v.add(at.child("min"), "is %v: write %s above 0", entry.Min, x.unit)
	}
	if entry.Max > x.upTo {
		v.add(at.child("max"), "is %v: write %s of at most %v", entry.Max, x.unit, x.upTo)
	}
	if entry.Parameter == VaryFaultLoad && (entry.Min != math.Trunc(entry.Min) || entry.Max != math.Trunc(entry.Max)) {
		v.add(at.child("min"), "the range is %v to %v: write whole numbers of requests", entry.Min, entry.Max)
	}
}

func (v *validator) varyTarget(at fieldPath, entry Vary, x variable) {
	at = at.child("target")
	switch x.of {
	case "cohort":
		if v.scenario.Traffic.Replay != nil {
			v.add(at, "the traffic replays a log, in which cohorts have no shares: vary something else")
			return
		}
		v.known(at, "cohort", entry.Target, v.cohorts())
	case "service":
		v.known(at, "service", entry.Target, v.serviceNames())
		if entry.Parameter == VaryCallTimeoutFactor {
			v.varyCallTimeouts(at, entry)
			return
		}
		v.varyErrorRates(at, entry)
	case "fault":
		faults := v.faults()
		v.known(at, "fault", entry.Target, keys(faults))
		adds := func(f service.Fault) bool { return f.Effect.AddLatency != nil }
		if entry.Parameter == VaryLatencyFactor && !slices.ContainsFunc(faults[entry.Target], adds) {
			v.add(at, "the fault %s adds no latency: vary another parameter", entry.Target)
		}
	}
}

// varyErrorRates checks the rates that a factor is applied to.
func (v *validator) varyErrorRates(at fieldPath, entry Vary) {
	svc := v.scenario.Service(entry.Target)
	if svc == nil {
		return
	}
	highest := 0.0
	for _, version := range svc.Versions {
		for _, r := range version.Behaviour.Routes {
			highest = max(highest, r.ErrorRate)
		}
	}
	switch {
	case highest == 0:
		v.add(at, "the service %s has no error rate to multiply: give it one, or remove the entry", entry.Target)
	case highest*entry.Max > 1:
		v.add(at, "%v times the error rate %v is over 1: write a smaller max", entry.Max, highest)
	}
}

// varyCallTimeouts checks that there is a timeout that a factor applies to.
func (v *validator) varyCallTimeouts(at fieldPath, entry Vary) {
	svc := v.scenario.Service(entry.Target)
	if svc == nil {
		return
	}
	for _, version := range svc.Versions {
		for _, r := range version.Behaviour.Routes {
			if r.Call.Timeout > 0 {
				return
			}
		}
	}
	v.add(at, "the calls of the service %s have no timeout: give one a timeout, or remove the entry", entry.Target)
}

// varyShares checks that shares of cohorts leave something for the cohorts that do not vary.
func (v *validator) varyShares() {
	sum, last := 0.0, -1
	for i, entry := range v.scenario.Vary {
		if entry.Parameter == VaryCohortShare {
			sum += entry.Max
			last = i
		}
	}
	if last < 0 {
		return
	}
	rest := 0.0
	for _, c := range v.scenario.Traffic.Cohorts {
		if !slices.ContainsFunc(v.scenario.Vary, func(o Vary) bool {
			return o.Parameter == VaryCohortShare && o.Target == c.Name
		}) {
			rest += c.Share
		}
	}
	if sum >= 1 || rest == 0 {
		v.add(fieldPath{"vary", last, "max"}, "the cohorts that vary may have all of the traffic: "+
			"leave some for one that does not vary")
	}
}

// faults returns the faults of all versions by name.
func (v *validator) faults() map[string][]service.Fault {
	all := map[string][]service.Fault{}
	for _, svc := range v.scenario.Services {
		for _, name := range keys(svc.Versions) {
			for _, f := range svc.Versions[name].Behaviour.Faults {
				all[f.Name] = append(all[f.Name], f)
			}
		}
	}
	return all
}
