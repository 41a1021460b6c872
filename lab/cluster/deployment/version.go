package deployment

import (
	"maps"
	"slices"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

const roleBaseline = "baseline"

// versionRoles returns the versions of a service that have a role in the scenario, by role.
func versionRoles(s *scenario.Scenario, svc *scenario.Service) map[string]string {
	roles := map[string]string{roleBaseline: svc.Baseline}
	if svc.Name == s.Release.Service {
		roles[scenario.RoleFaulty], roles[scenario.RoleHealthy] = s.Release.Faulty, s.Release.Healthy
	}
	return roles
}

// FindVersion returns the version of a service given by name, by role, or by both, as in v2-faulty,
// in which case they must agree. The empty string is the baseline.
func FindVersion(s *scenario.Scenario, svc *scenario.Service, text string) (string, error) {
	roles := versionRoles(s, svc)
	if text == "" {
		return svc.Baseline, nil
	}
	if _, ok := svc.Versions[text]; ok {
		return text, nil
	}
	if name, ok := roles[text]; ok {
		return name, nil
	}
	dash := max(strings.LastIndexByte(text, '-'), 0)
	name, role := text[:dash], strings.TrimPrefix(text[dash:], "-")
	_, known := svc.Versions[name]
	holder, isRole := roles[role]
	if known && holder == name {
		return name, nil
	}
	hint := svc.Name + " has " + strings.Join(versionList(s, svc), ", ")
	if known && isRole {
		return "", input.New(hint, "version %q: %s is not the %s version, which is %s", text, name, role, holder)
	}
	return "", input.New(hint, "%s has no version %q", svc.Name, text)
}

// versionList lists the versions of a service with their roles.
func versionList(s *scenario.Scenario, svc *scenario.Service) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
		list = append(list, withRole(s, svc, name))
	}
	return list
}

// withRole returns a version with its role in the scenario, if it has one.
func withRole(s *scenario.Scenario, svc *scenario.Service, version string) string {
	for role, name := range versionRoles(s, svc) {
		if name == version {
			return version + " (" + role + ")"
		}
	}
	return version
}
