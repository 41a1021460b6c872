package scenario

import "coalmine/lab/scenario/v1alpha1"

// fromV1alpha1 converts a document to the internal form and fills in defaults.
func fromV1alpha1(w *v1alpha1.Scenario) *Scenario {
	s := &Scenario{
		Name:        w.Metadata.Name,
		Title:       w.Spec.Title,
		Summary:     w.Spec.Summary,
		Topic:       w.Spec.Topic,
		Level:       w.Spec.Level,
		Teaches:     w.Spec.Teaches,
		Release:     Release(w.Spec.Release),
		Traffic:     w.Spec.Traffic,
		Objectives:  w.Spec.Objectives,
		Environment: w.Spec.Environment, ColdProxies: w.Spec.ColdProxies == nil || *w.Spec.ColdProxies,
		Timing: Timing(w.Spec.Timing),
		Rubric: Rubric{
			MaxHarm:           w.Spec.Rubric.MaxHarm,
			MinCanaryRequests: w.Spec.Rubric.MinCanaryRequests,
			MinEvidence:       MinEvidence(w.Spec.Rubric.MinEvidence),
			Preconditions:     w.Spec.Rubric.Preconditions,
		},
	}
	if w.Spec.Mesh != nil {
		s.Mesh = new(Mesh(*w.Spec.Mesh))
	}
	if w.Spec.Drain != nil {
		s.Drain = new(Drain(*w.Spec.Drain))
	}
	for _, svc := range w.Spec.Services {
		s.Services = append(s.Services, serviceFromV1alpha1(svc))
	}
	for _, c := range w.Spec.Clients {
		s.Clients = append(s.Clients, clientFromV1alpha1(c))
	}
	for _, i := range w.Spec.Rubric.Items {
		s.Rubric.Items = append(s.Rubric.Items, RubricItem(i))
	}
	for _, v := range w.Spec.Vary {
		s.Vary = append(s.Vary, Vary(v))
	}
	return s
}

func serviceFromV1alpha1(w v1alpha1.Service) Service {
	s := Service{
		Name:           w.Name,
		Port:           w.Port,
		TargetPort:     w.TargetPort,
		Replicas:       w.Replicas,
		Probe:          w.Probe,
		ServiceAccount: w.ServiceAccount,
		Labels:         w.Labels,
		Annotations:    w.Annotations,
		Versions:       make(map[string]Version, len(w.Versions)),
		Baseline:       w.Baseline,
	}
	if s.TargetPort == 0 {
		s.TargetPort = s.Port
	}
	if s.ServiceAccount == "" {
		s.ServiceAccount = s.Name
	}
	for name, v := range w.Versions {
		s.Versions[name] = Version(v)
	}
	return s
}

func clientFromV1alpha1(w v1alpha1.Client) Client {
	c := Client(w)
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.ServiceAccount == "" {
		c.ServiceAccount = c.Name
	}
	return c
}

func workloadFromV1alpha1(w *v1alpha1.Workload) *Workload {
	return &Workload{
		Name: w.Metadata.Name, Summary: w.Spec.Summary, Traffic: w.Spec.Workload,
		Objectives: w.Spec.Objectives,
	}
}

// wirePath converts the path of a field in the internal form to its path in the file.
func wirePath(f fieldPath) fieldPath {
	if f[0] == "name" {
		return fieldPath{"metadata"}.child(f...)
	}
	return fieldPath{"spec"}.child(f...)
}
