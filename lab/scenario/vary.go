package scenario

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/rng"
)

// Parameters that a scenario can let vary.
const (
	// VaryFaultShare is the share of the matching requests that a fault hits, VaryFaultUsers that of
	// the users.
	VaryFaultShare = "fault-share"
	VaryFaultUsers = "fault-users"
	// VaryFaultLoad is the number of requests in progress from which a fault hits.
	VaryFaultLoad = "fault-load"
	// VaryLatencyFactor multiplies the latency that a fault adds.
	VaryLatencyFactor = "latency-factor"
	// VaryOnset is the age of a pod from which a fault hits, in seconds.
	VaryOnset = "onset"
	// VaryCohortShare is a cohort's share of the requests. The cohorts that do not vary share the
	// rest in their proportions.
	VaryCohortShare = "cohort-share"
	// VaryErrorRateFactor multiplies the rates at which all versions of a service answer with
	// errors that are not the fault's.
	VaryErrorRateFactor = "error-rate-factor"
	// VaryCallTimeoutFactor multiplies the timeouts of the calls that all versions of a service make.
	VaryCallTimeoutFactor = "call-timeout-factor"
)

// Vary is a parameter that check runs draw by their seed, from a range that does not change the
// lesson.
type Vary struct {
	// Parameter is one of the Vary constants, Target the name of what has it.
	Parameter, Target string
	Min, Max          float64
}

// Name is what [Scenario.Drawn] calls the parameter.
func (v Vary) Name() string { return v.Parameter + " of " + v.Target }

// Draw returns a copy of the scenario in which every parameter that varies has a value that the
// seed chooses. Seeds that are not drawn play the scenario as it is.
func (s *Scenario) Draw(seed uint64) *Scenario {
	values := map[string]float64{}
	for _, v := range s.Vary {
		values[v.Name()] = v.draw(rng.New(seed, "scenario.vary/"+v.Name()).Unit(0))
	}
	return s.with(values)
}

// draw maps a number from 0 to 1 to a value of the range. Values have three digits, so that they
// can be copied from a card to a scenario.
func (v Vary) draw(unit float64) float64 {
	if v.Parameter == VaryFaultLoad {
		return v.Min + math.Floor(unit*(v.Max-v.Min+1))
	}
	x := v.Min + float64(unit*(v.Max-v.Min))
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	if err != nil {
		return x
	}
	return min(max(short, v.Min), v.Max)
}

// with returns a copy of the scenario with these values of its parameters, by name.
func (s *Scenario) with(values map[string]float64) *Scenario {
	c := *s
	c.Services = slices.Clone(s.Services)
	for i := range c.Services {
		c.Services[i].Versions = maps.Clone(c.Services[i].Versions)
	}
	c.Traffic.Cohorts = slices.Clone(s.Traffic.Cohorts)
	c.Drawn = values
	for _, v := range s.Vary {
		switch x := values[v.Name()]; v.Parameter {
		case VaryCohortShare:
		case VaryErrorRateFactor:
			c.changeRoutes(v.Target, func(r *service.RouteBehaviour) { r.ErrorRate *= x })
		case VaryCallTimeoutFactor:
			c.changeRoutes(v.Target, func(r *service.RouteBehaviour) { r.Call.Timeout = scale(r.Call.Timeout, x) })
		default:
			c.changeFault(v.Target, func(f *service.Fault) { setFault(f, v.Parameter, x) })
		}
	}
	c.setShares(values)
	return &c
}

// changeFault changes a copy of every fault with a name.
func (s *Scenario) changeFault(name string, change func(*service.Fault)) {
	for _, svc := range s.Services {
		for key, version := range svc.Versions {
			faults := slices.Clone(version.Behaviour.Faults)
			for i := range faults {
				if faults[i].Name == name {
					change(&faults[i])
				}
			}
			version.Behaviour.Faults = faults
			svc.Versions[key] = version
		}
	}
}

func setFault(f *service.Fault, parameter string, x float64) {
	switch parameter {
	case VaryFaultShare:
		f.Share = x
	case VaryFaultUsers:
		f.When.Users = x
	case VaryFaultLoad:
		f.When.Load = int(x)
	case VaryOnset:
		f.When.Uptime = seconds(x)
	case VaryLatencyFactor:
		if l := f.Effect.AddLatency; l != nil {
			f.Effect.AddLatency = &service.Latency{P50: scale(l.P50, x), P99: scale(l.P99, x)}
		}
	}
}

func seconds(x float64) time.Duration { return time.Duration(math.Round(x * float64(time.Second))) }

func scale(d time.Duration, factor float64) time.Duration {
	return time.Duration(math.Round(float64(d) * factor))
}

// changeRoutes changes a copy of the routes of all versions of a service.
func (s *Scenario) changeRoutes(name string, change func(*service.RouteBehaviour)) {
	svc := s.Service(name)
	if svc == nil {
		return
	}
	for key, version := range svc.Versions {
		routes := maps.Clone(version.Behaviour.Routes)
		for name, route := range routes {
			change(&route)
			routes[name] = route
		}
		version.Behaviour.Routes = routes
		svc.Versions[key] = version
	}
}

// setShares sets the shares of the cohorts that vary. The others share the rest.
func (s *Scenario) setShares(values map[string]float64) {
	varied, others := 0.0, 0.0
	shares := map[string]float64{}
	for _, c := range s.Traffic.Cohorts {
		if x, ok := values[Vary{Parameter: VaryCohortShare, Target: c.Name}.Name()]; ok {
			shares[c.Name] = x
			varied += x
		} else {
			others += c.Share
		}
	}
	if len(shares) == 0 {
		return
	}
	for i := range s.Traffic.Cohorts {
		c := &s.Traffic.Cohorts[i]
		if x, ok := shares[c.Name]; ok {
			c.Share = x
		} else {
			c.Share *= (1 - varied) / others
		}
	}
}
