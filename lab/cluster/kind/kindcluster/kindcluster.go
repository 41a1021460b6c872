// Package kindcluster makes, finds and removes the kind cluster that a lab stands on: its containers, its network, its entry in the
// user's kubeconfig, and the images in its nodes. It drives kind as a library and, for what kind has no call for, the same docker
// command that kind drives.
//
// It must not know what runs in the cluster: that is applied by others, to whom it gives a [rest.Config].
//
// A cluster of another maker is never touched, though it has the name that is asked for: see [Foreign].
package kindcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
)

// Marks of a cluster that coalmine has made. kind lets nobody set labels on its containers; but mounts stand in its configuration,
// and Docker shows them from the container's first moment to its last. What is mounted does not matter, so it is the folder of the
// host that kind mounts into every node anyway.
const (
	markerCreated = "/coalmine/made"
	markerNetwork = "/coalmine/network" // coalmine has made the network, too
	markerSource  = "/lib/modules"
)

// completeFile is a file in the node that is written when the cluster has come up for the first time. kind's creation has a dozen
// steps and cannot be resumed: a cluster without this mark is half made.
const completeFile = "/kind/coalmine-complete"

// labelCluster is kind's, on each node: pkg/cluster/internal/providers/docker/constants.go.
const labelCluster = "io.x-k8s.kind.cluster"

// labelRole is kind's, too.
const labelRole = "io.x-k8s.kind.role"

// State of a cluster, as Docker knows it.
type State string

// States of a cluster.
const (
	Absent     State = "absent"
	Incomplete State = "half made" // by a creation that was cut off
	Stopped    State = "stopped"
	Running    State = "running" // its containers; whether Kubernetes answers is another matter
	Foreign    State = "foreign" // coalmine has not made it
)

// Cluster is a kind cluster by its name, whether it is there or not.
type Cluster struct {
	name     string
	provider *cluster.Provider
}

// New names a cluster.
func New(name string) *Cluster {
	return &Cluster{name: name, provider: cluster.NewProvider(cluster.ProviderWithDocker())}
}

// Name is the cluster's.
func (c *Cluster) Name() string { return c.name }

// Context is the name of its context in the user's kubeconfig. kind's own, so that kind's commands find it.
func (c *Cluster) Context() string { return "kind-" + c.name }

// container is what docker inspect says of a node.
type container struct {
	Name   string
	State  struct{ Running bool }
	Config struct{ Labels map[string]string }
	Mounts []struct{ Destination string }

	NetworkSettings struct {
		Ports map[string][]struct {
			HostIP   string `json:"HostIp"`
			HostPort string
		}
	}
}

func (n container) hasMarker(mark string) bool {
	return slices.ContainsFunc(n.Mounts, func(m struct{ Destination string }) bool { return m.Destination == mark })
}

// containers are those of the cluster's nodes, running or not.
func (c *Cluster) containers(ctx context.Context) ([]container, error) {
	return containers(ctx, "label="+labelCluster+"="+c.name)
}

// creating bounds how long Docker may take to make a container that it lists already. On a busy disk that takes half a minute.
const creating = time.Minute

// containers of all clusters that fit a filter of docker ps. One that is just being made, by a command that was cut off, is listed
// before it can be inspected, and one that is being removed still is: either is waited for.
func containers(ctx context.Context, filter string) (all []container, err error) {
	var why error
	err = wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, creating, true, func(ctx context.Context) (bool, error) {
		all, err = inspect(ctx, filter)
		if why = err; isNotFound(err) {
			return false, nil
		}
		return true, err
	})
	if isNotFound(why) {
		return nil, &Problem{Busy, fmt.Errorf("Docker is still making or removing a container: %w", why), "run the same command again in a moment"}
	}
	return all, err
}

// isNotFound tells that Docker does not know a container.
func isNotFound(err error) bool {
	p := problemOf(err)
	return p != nil && strings.Contains(strings.ToLower(p.Error()), "no such container")
}

func inspect(ctx context.Context, filter string) ([]container, error) {
	out, err := docker(ctx, "ps", "--all", "--quiet", "--filter", filter)
	ids := strings.Fields(out)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if out, err = docker(ctx, append([]string{"inspect", "--type", "container"}, ids...)...); err != nil {
		return nil, err
	}
	var all []container
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("read docker inspect: %w", err)
	}
	for i := range all {
		all[i].Name = strings.TrimPrefix(all[i].Name, "/")
	}
	return all, nil
}

// State asks Docker. Errors of Docker are [*Problem].
func (c *Cluster) State(ctx context.Context) (State, error) {
	all, err := c.containers(ctx)
	if err != nil {
		return "", err
	}
	return c.state(ctx, all)
}

func (c *Cluster) state(ctx context.Context, all []container) (State, error) {
	if len(all) == 0 {
		return Absent, nil
	}
	if !slices.ContainsFunc(all, func(n container) bool { return n.hasMarker(markerCreated) }) {
		return Foreign, nil
	}
	complete, err := isComplete(ctx, all)
	switch {
	case err != nil:
		return "", err
	case !complete:
		return Incomplete, nil
	case slices.ContainsFunc(all, func(n container) bool { return !n.State.Running }):
		return Stopped, nil
	}
	return Running, nil
}

// controlPlane is the node with the API server.
func controlPlane(all []container) (container, bool) {
	i := slices.IndexFunc(all, func(n container) bool { return n.Config.Labels[labelRole] == "control-plane" })
	if i < 0 {
		return container{}, false
	}
	return all[i], true
}

// isComplete looks for the mark. docker cp reads from stopped containers as well.
func isComplete(ctx context.Context, all []container) (bool, error) {
	first, ok := controlPlane(all)
	if !ok {
		return false, nil
	}
	_, err := docker(ctx, "cp", first.Name+":"+completeFile, "-")
	if err == nil {
		return true, nil
	}
	if p := problemOf(err); p != nil && p.Kind != Other {
		return false, err
	}
	return false, ctx.Err()
}

// nodes are kind's handles, whose commands end with the context.
func (c *Cluster) nodes(ctx context.Context) ([]nodes.Node, error) {
	all, err := c.provider.ListInternalNodes(c.name)
	if err != nil {
		return nil, classify(err)
	}
	for i := range all {
		all[i] = ctxNode{all[i], ctx}
	}
	return all, nil
}

// foreignError says that a cluster is not coalmine's to change.
func (c *Cluster) foreignError() error {
	return &Problem{Kind: NotManaged, Err: fmt.Errorf("there is a kind cluster %q that coalmine has not made", c.name), hint: fmt.Sprintf(
		"leave it alone by --name with another name than %s, or remove it yourself: kind delete cluster --name %s", c.name, c.name)}
}

// ValidName tells why a name is none for a cluster, "" when it is one. kind's nodes are hosts of that name and a suffix, and a
// host's name has up to 63 characters.
func ValidName(name string) string {
	const longest = 63 - len("-external-load-balancer")
	switch {
	case name == "":
		return "it is empty"
	case len(name) > longest:
		return fmt.Sprintf("it has %d characters; write up to %d", len(name), longest)
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "":
		return "write small letters, digits and hyphens"
	case strings.Trim(name, "-.") != name:
		return "it begins or ends with a hyphen or a dot"
	}
	return ""
}
