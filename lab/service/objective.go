package service

import "time"

// Objective is what users of a route may expect.
type Objective struct {
	// Route is the route's name; "" stands for every route without an objective of its own.
	Route string `yaml:"route,omitempty" json:"route,omitempty"`
	// Success is the least share of good answers, in percent.
	Success float64 `yaml:"success" json:"success"`
	// Latency is the longest acceptable answer time; 0 means any. A slower answer is a bad one.
	Latency time.Duration `yaml:"latency,omitempty" json:"latency,omitempty"`
}

// LatencyObjective returns the latency objective of a route, 0 for none.
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
