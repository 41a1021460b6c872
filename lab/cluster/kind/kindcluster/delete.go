package kindcluster

import (
	"context"
	"errors"
)

// Removed tells what Delete found to remove.
type Removed struct {
	Containers []string // their names
	Network    bool     // kind's
	Context    string   // in the user's kubeconfig; "" when there was none
}

// Empty tells whether nothing was there.
func (r Removed) Empty() bool { return len(r.Containers) == 0 && !r.Network && r.Context == "" }

// Delete removes what Ensure has made, whole or half: the containers with their volumes, the context in the user's kubeconfig, and
// kind's network if coalmine has made it and no container of anyone's is left on it, running or not. Images that Docker has pulled
// or loaded stay, for the next time. It may be called again, and is then left with nothing.
func (c *Cluster) Delete(ctx context.Context) (Removed, error) {
	var r Removed
	all, err := c.containers(ctx)
	if err != nil {
		return r, err
	}
	state, err := c.state(ctx, all)
	if err != nil {
		return r, err
	}
	if state == Foreign {
		return r, c.foreignError()
	}
	// The network is looked at first: its mark goes with the containers.
	ownNetwork := state != Absent && hasMarker(all, markerNetwork)
	for _, n := range all {
		r.Containers = append(r.Containers, n.Name)
	}
	// A kubeconfig that cannot be read is no reason to leave containers behind.
	err = c.removeContainers(ctx)
	if err == nil && ownNetwork {
		r.Network, err = removeNetwork(ctx)
	}
	removed, contextErr := c.removeContext(ctx)
	if removed {
		r.Context = c.Context()
	}
	return r, errors.Join(err, contextErr)
}

func hasMarker(all []container, mark string) bool {
	for _, n := range all {
		if n.hasMarker(mark) {
			return true
		}
	}
	return false
}

func (c *Cluster) removeContainers(ctx context.Context) error {
	all, err := c.containers(ctx)
	if err != nil {
		return err
	}
	args := []string{"rm", "--force", "--volumes"}
	for _, n := range all {
		args = append(args, n.Name)
	}
	if len(all) == 0 {
		return nil
	}
	_, err = docker(ctx, args...)
	return err
}

// removeNetwork removes kind's network unless somebody uses it.
func removeNetwork(ctx context.Context) (bool, error) {
	users, err := docker(ctx, "ps", "--all", "--quiet", "--filter", "network="+network)
	if err != nil || users != "" {
		return false, err
	}
	if _, err := docker(ctx, "network", "rm", network); err != nil {
		return false, err
	}
	return true, nil
}
