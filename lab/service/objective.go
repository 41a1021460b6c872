package service

import "time"

// Objective is a service level objective: what users of a route may expect.
type Objective struct {
	// Route is the route's name; "" applies to every route without an objective of its own.
	Route string `yaml:"route,omitempty" json:"route,omitempty"`
	// Success is the minimum share of good answers, in percent.
	Success float64 `yaml:"success" json:"success"`
	// Latency is the longest acceptable response time; 0 means any. A slower answer is bad.
	Latency time.Duration `yaml:"latency,omitempty" json:"latency,omitempty"`
}

// LatencyObjective returns the latency objective of a route, or 0 if it has none.
func LatencyObjective(objectives []Objective, route string) time.Duration {
	var fallback time.Duration
	for _, o := range objectives {
		switch o.Route {
		case route:
			return o.Latency
		case "":
			fallback = o.Latency
		}
	}
	return fallback
}
