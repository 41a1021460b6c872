// Package kindcluster creates, inspects and deletes the kind cluster: its containers, its network,
// its entry in the user's kubeconfig, and the images in its nodes. It uses kind as a library and,
// where kind has no function, the same docker command that kind runs.
//
// It does not know what runs in the cluster: callers install that with its [rest.Config].
//
// Clusters that coalmine did not create are never touched, even if they have the requested name:
// see [Foreign].
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

// Markers of a cluster created by coalmine. kind does not let callers label its containers, but
// mounts are part of its configuration, and Docker reports them for the whole life of the
// container. What is mounted does not matter, so it is the host folder that kind mounts into every
// node anyway.
const (
	markerCreated = "/coalmine/made"
	markerNetwork = "/coalmine/network" // coalmine created the network too
	markerSource  = "/lib/modules"
)

// completeFile is a file in the node, written when the cluster has come up for the first time.
// kind's creation has a dozen steps and cannot be resumed: a cluster without this file is
// incomplete.
const completeFile = "/kind/coalmine-complete"

// labelCluster is kind's label on each node: pkg/cluster/internal/providers/docker/constants.go.
const labelCluster = "io.x-k8s.kind.cluster"

// labelRole is kind's label too.
const labelRole = "io.x-k8s.kind.role"

// State of a cluster, as Docker reports it.
type State string

// States of a cluster.
const (
	Absent     State = "absent"
	Incomplete State = "incomplete" // creation was interrupted
	Stopped    State = "stopped"
	Running    State = "running" // the containers run; Kubernetes may not respond yet
	Foreign    State = "foreign" // coalmine did not create it
)

// Cluster is a kind cluster, existing or not, identified by its name.
type Cluster struct {
	name     string
	provider *cluster.Provider
}

// New returns the cluster of a name.
func New(name string) *Cluster {
	return &Cluster{name: name, provider: cluster.NewProvider(cluster.ProviderWithDocker())}
}

// Name returns the cluster's name.
func (c *Cluster) Name() string { return c.name }

// Context returns the name of its context in the user's kubeconfig: kind's own, so that kind's
// commands find it.
func (c *Cluster) Context() string { return "kind-" + c.name }

// container is the output of docker inspect for a node.
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

// containers returns the containers of the cluster's nodes, running or not.
func (c *Cluster) containers(ctx context.Context) ([]container, error) {
	return containers(ctx, "label="+labelCluster+"="+c.name)
}

// creating bounds how long Docker may take to create a container that it already lists. On a busy
// disk that takes half a minute.
const creating = time.Minute

// containers returns the containers of all clusters that match a filter of docker ps. A container
// that is being created by an interrupted command is listed before it can be inspected, and one
// that is being removed is still listed: it waits for both.
func containers(ctx context.Context, filter string) (all []container, err error) {
	var lastErr error
	err = wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, creating, true,
		func(ctx context.Context) (bool, error) {
			all, err = inspect(ctx, filter)
			if lastErr = err; isNotFound(err) {
				return false, nil
			}
			return true, err
		})
	if isNotFound(lastErr) {
		return nil, &Problem{Busy, fmt.Errorf("Docker is still creating or removing a container: %w", lastErr),
			"run the same command again in a moment"}
	}
	return all, err
}

// isNotFound reports whether Docker does not know the container.
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

// State queries Docker. Errors are of type [*Problem].
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

// controlPlane returns the node with the API server.
func controlPlane(all []container) (container, bool) {
	i := slices.IndexFunc(all, func(n container) bool { return n.Config.Labels[labelRole] == "control-plane" })
	if i < 0 {
		return container{}, false
	}
	return all[i], true
}

// isComplete checks for completeFile. docker cp also reads from stopped containers.
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

// nodes returns kind's handles of the nodes; their commands end with the context.
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

// foreignError reports that the cluster is not coalmine's to change.
func (c *Cluster) foreignError() error {
	return &Problem{
		Kind: NotManaged,
		Err:  fmt.Errorf("kind cluster %q exists and was not created by coalmine", c.name),
		hint: "choose another name with --name, or delete it yourself: kind delete cluster --name " + c.name,
	}
}

// ValidName returns why a name is not valid for a cluster, or "" if it is. kind's nodes are hosts
// with that name and a suffix, and host names have at most 63 characters.
func ValidName(name string) string {
	const longest = 63 - len("-external-load-balancer")
	switch {
	case name == "":
		return "it is empty"
	case len(name) > longest:
		return fmt.Sprintf("it has %d characters; the maximum is %d", len(name), longest)
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "":
		return "write lower-case letters, digits and hyphens"
	case strings.Trim(name, "-.") != name:
		return "it starts or ends with a hyphen or a dot"
	}
	return ""
}
