package kindcluster

import (
	"context"
	"errors"
)

// Removed lists what Delete has deleted.
type Removed struct {
	Containers []string // names
	Network    bool     // kind's
	Context    string   // in the user's kubeconfig; "" if there was none
}

// Empty reports whether there was nothing to delete.
func (r Removed) Empty() bool { return len(r.Containers) == 0 && !r.Network && r.Context == "" }

// Delete deletes what Ensure has created, complete or not: the containers with their volumes, the
// context in the user's kubeconfig, and kind's network if coalmine created it and no container is
// left on it, running or not. Images that Docker has pulled or loaded stay for the next time.
// Calling it again is harmless.
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
	// Check the network first: its marker disappears with the containers.
	ownNetwork := state != Absent && hasMarker(all, markerNetwork)
	for _, n := range all {
		r.Containers = append(r.Containers, n.Name)
	}
	// An unreadable kubeconfig is no reason to leave containers behind.
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

// removeNetwork deletes kind's network unless it is in use.
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
