package scenario

import (
	"crypto/sha256"
	"fmt"
)

// Roles of a version in a run, as far as a cluster shows them.
const (
	roleBaseline = "baseline"
	roleRelease  = "release"
)

// NeutralVersion returns the name by which a cluster calls a version of a service in runs with a
// seed, in everything that guardrails can read: labels, images, metrics and payloads. It depends on
// whether the version is the service's baseline, and not on which other version it is, so that a
// faulty and a healthy release of one seed have the same name. The scenario's own names are for the
// log and what is made of it; [Scenario.VersionOf] converts back.
func (s *Scenario) NeutralVersion(service, version string, seed uint64) string {
	baseline := s.neutralName(roleBaseline, seed, 0)
	if svc := s.Service(service); svc == nil || version == svc.Baseline {
		return baseline
	}
	for try := uint64(0); ; try++ {
		if name := s.neutralName(roleRelease, seed, try); name != baseline {
			return name
		}
	}
}

// neutralName draws a name. A try above 0 draws another one.
func (s *Scenario) neutralName(role string, seed, try uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %s %d %d", s.Name, role, seed, try))
	return fmt.Sprintf("r-%x", sum[:2])
}

// VersionOf returns the version of a service that a cluster calls by a neutral name in a run that
// releases a version with a seed, or "" if it calls none so.
func (s *Scenario) VersionOf(service, name, released string, seed uint64) string {
	svc := s.Service(service)
	switch {
	case svc == nil:
		return ""
	case name == s.NeutralVersion(service, svc.Baseline, seed):
		return svc.Baseline
	case service == s.Release.Service && name == s.NeutralVersion(service, released, seed):
		return released
	}
	return ""
}
