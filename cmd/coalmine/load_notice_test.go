package main

import (
	"testing"
	"time"

	"coalmine/loadgen"
)

func TestLoadNotice(t *testing.T) {
	plan := func(method string) *loadgen.Plan {
		p, err := loadgen.NewPlan(loadgen.Workload{
			Rate: loadgen.Curve{Constant: 10}, Routes: []loadgen.Route{{Name: "r", Path: "/", Method: method}},
			Cohorts: []loadgen.Cohort{{Name: "c", Share: 1, Users: 10, Mix: map[string]float64{"r": 1}}},
		}, 1, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		method  string
		targets []string
		want    string
	}{
		{"GET", []string{"sim"}, ""},
		{"GET", []string{"http://localhost:8080", "a=http://127.0.0.2", "b=http://[::1]:1/x"}, ""},
		{"GET", []string{"http://shop.example.com/x?a=b", "a=https://api.example.com:8443",
			"c=https://api.example.com:8443"},
			"sending about 600 requests to shop.example.com, api.example.com:8443; make sure that its owner agrees"},
		{"DELETE", []string{"http://localhost"}, "sending about 600 requests to this machine, also DELETE, which may " +
			"change data"},
		{"POST", []string{"http://10.0.0.1"}, "sending about 600 requests to 10.0.0.1, also POST, which may change " +
			"data; make sure that its owner agrees"},
	} {
		if got := loadNotice(plan(c.method), c.targets); got != c.want {
			t.Errorf("%s to %v: %q, want %q", c.method, c.targets, got, c.want)
		}
	}
}
