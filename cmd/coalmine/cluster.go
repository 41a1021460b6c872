package main

import (
	"context"
	"errors"

	"coalmine/lab"
	"coalmine/lab/event"
)

// newCluster returns the cluster that runs are played on.
func newCluster(version string) lab.Cluster { return absent{version} }

// absent stands in until there is a cluster.
type absent struct{ version string }

func (a absent) Describe() lab.Description {
	return lab.Description{Cluster: "none", Mesh: "none", Versions: map[string]string{"coalmine": a.version}}
}

func (absent) Session(context.Context, lab.Flight, *event.Recorder, func(context.Context, lab.World) error) error {
	return errors.New("this build has no cluster")
}
