package tmpmatch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/kind"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/conformance"
)

func TestPlay(t *testing.T) {
	c, err := kind.New(t.Context(), kind.Options{Name: os.Getenv("T_CLUSTER"), TrafficPods: 2, Version: "e2e"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(os.Getenv("T_RUNS")) {
		f, err := conformance.Spec(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		events, err := conformance.Play(t.Context(), run.InProcess{Cluster: c}, f, nil)
		w, _ := os.Create(filepath.Join(os.Getenv("T_OUT"), name+".jsonl"))
		ew := event.NewWriter(w)
		for _, e := range events {
			ew.Write(e)
		}
		ew.Close()
		w.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, name, f, c.Describe(), events)
	}
}

func check(t *testing.T, name string, f cluster.RunSpec, d cluster.Description, events []event.Event) {
	l := conformance.NewLog(f, d, conformance.Real(), events)
	for _, c := range conformance.Checks() {
		for _, r := range c.Runs {
			if r == name {
				for _, m := range c.Run(l) {
					t.Errorf("%s/%s: %s", c.Name, name, m)
				}
			}
		}
	}
}
