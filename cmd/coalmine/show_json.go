package main

import (
	"maps"
	"slices"

	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// scenarioJSON is a scenario as show prints it in JSON. It leaves out the behaviour of the
// versions, since that is what the learner has to find out.
type scenarioJSON struct {
	listing
	Teaches    []string            `json:"teaches,omitempty"`
	Services   []serviceJSON       `json:"services"`
	Release    releaseJSON         `json:"release"`
	Traffic    loadgen.Workload    `json:"traffic"`
	Objectives []service.Objective `json:"objectives"`
	// BaselineSeconds and HorizonSeconds are the times before and after the release.
	BaselineSeconds float64          `json:"baseline_seconds"`
	HorizonSeconds  float64          `json:"horizon_seconds"`
	Rubric          []rubricItemJSON `json:"rubric"`
	Preconditions   []string         `json:"preconditions,omitempty"`
	// Questions is the number of questions in the quiz.
	Questions int `json:"questions"`
}

type serviceJSON struct {
	Name       string        `json:"name"`
	Port       int           `json:"port"`
	TargetPort int           `json:"target_port"`
	Replicas   int           `json:"replicas"`
	Baseline   string        `json:"baseline"`
	Versions   []versionJSON `json:"versions"`
}

type versionJSON struct {
	Name  string `json:"name"`
	Notes string `json:"notes,omitempty"`
}

type releaseJSON struct {
	Service string `json:"service"`
	Faulty  string `json:"faulty"`
	Healthy string `json:"healthy"`
}

type rubricItemJSON struct {
	ID     string  `json:"id"`
	Title  string  `json:"title,omitempty"`
	Points int     `json:"points"`
	Limit  float64 `json:"limit,omitempty"`
}

func newScenarioJSON(s *scenario.Scenario, questions int) scenarioJSON {
	out := scenarioJSON{
		listing:         listed([]*scenario.Scenario{s})[0],
		Teaches:         s.Teaches,
		Release:         releaseJSON(s.Release),
		Traffic:         s.Traffic,
		Objectives:      s.Objectives,
		BaselineSeconds: s.Timing.Baseline.Seconds(),
		HorizonSeconds:  s.Timing.Horizon.Seconds(),
		Preconditions:   s.Rubric.Preconditions,
		Questions:       questions,
	}
	for _, svc := range s.Services {
		service := serviceJSON{Name: svc.Name, Port: svc.Port, TargetPort: svc.TargetPort, Replicas: svc.Replicas,
			Baseline: svc.Baseline}
		for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
			service.Versions = append(service.Versions, versionJSON{name, svc.Versions[name].Notes})
		}
		out.Services = append(out.Services, service)
	}
	for _, i := range s.Rubric.Items {
		out.Rubric = append(out.Rubric, rubricItemJSON{i.ID, i.Title, i.Points, i.Limit})
	}
	return out
}
