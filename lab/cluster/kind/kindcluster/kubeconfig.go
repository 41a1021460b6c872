package kindcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// RESTConfig is how to speak to the cluster from this machine. It comes from the node and not from the user's kubeconfig, which may
// say anything.
func (c *Cluster) RESTConfig(ctx context.Context) (*rest.Config, error) {
	kubeconfig, err := c.kubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.NewDefaultClientConfig(*kubeconfig, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig of cluster %s: %w", c.name, err)
	}
	// Bringing a cluster up asks more than the default of 5 requests a second allows.
	config.QPS, config.Burst = 100, 200
	return config, nil
}

// apiPort is the API server's in the node, adminConf kubeadm's kubeconfig there.
const (
	apiPort   = "6443/tcp"
	adminConf = "/etc/kubernetes/admin.conf"
)

// kubeconfig has the cluster, the user and the context under kind's name for them, and nothing else. It is what kind's own KubeConfig
// returns, which takes seven runs of the docker command for it: too many for those who want to see the cluster at a glance.
func (c *Cluster) kubeconfig(ctx context.Context) (*api.Config, error) {
	all, err := c.containers(ctx)
	if err != nil {
		return nil, err
	}
	first, ok := controlPlane(all)
	if !ok {
		return nil, &Problem{NotReady, fmt.Errorf("there is no cluster %s", c.name), "bring it up by: coalmine up --name " + c.name}
	}
	text, err := docker(ctx, "exec", first.Name, "cat", adminConf)
	if err != nil {
		return nil, err
	}
	inside, err := clientcmd.Load([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", adminConf, first.Name, err)
	}
	current := inside.Contexts[inside.CurrentContext]
	if current == nil || inside.Clusters[current.Cluster] == nil || inside.AuthInfos[current.AuthInfo] == nil {
		return nil, fmt.Errorf("read %s of %s: it has no current context", adminConf, first.Name)
	}
	outside := api.NewConfig()
	outside.CurrentContext = c.Context()
	outside.Contexts[c.Context()] = &api.Context{Cluster: c.Context(), AuthInfo: c.Context()}
	outside.AuthInfos[c.Context()] = inside.AuthInfos[current.AuthInfo]
	outside.Clusters[c.Context()] = inside.Clusters[current.Cluster]
	outside.Clusters[c.Context()].Server, err = first.server()
	return outside, err
}

// server is the URL of the API server on this machine. Docker Desktop says in a label where it forwards ports from (kind,
// pkg/cluster/internal/providers/docker/provider.go, GetAPIServerEndpoint).
func (n container) server() (string, error) {
	if at := n.Config.Labels["desktop.docker.io/ports/"+apiPort]; at != "" {
		return "https://" + at, nil
	}
	bound := n.NetworkSettings.Ports[apiPort]
	if len(bound) == 0 {
		return "", fmt.Errorf("the port of the API server of %s is not bound: does it run?", n.Name)
	}
	return "https://" + net.JoinHostPort(bound[0].HostIP, bound[0].HostPort), nil
}

// addContext puts the cluster into the user's kubeconfig, in one write. Unlike kind's own export it leaves the current context as it
// is, unless there is none.
func (c *Cluster) addContext(ctx context.Context) error {
	ours, err := c.kubeconfig(ctx)
	if err != nil {
		return err
	}
	return c.modifyKubeconfig(ctx, func(theirs *api.Config) {
		theirs.Clusters[c.Context()] = ours.Clusters[c.Context()]
		theirs.AuthInfos[c.Context()] = ours.AuthInfos[c.Context()]
		theirs.Contexts[c.Context()] = ours.Contexts[c.Context()]
		if theirs.CurrentContext == "" {
			theirs.CurrentContext = c.Context()
		}
	})
}

func (c *Cluster) hasContext() (bool, error) {
	config, err := clientcmd.NewDefaultPathOptions().GetStartingConfig()
	if err != nil {
		return false, kubeconfigError(err)
	}
	return config.Contexts[c.Context()] != nil && config.Clusters[c.Context()] != nil && config.AuthInfos[c.Context()] != nil, nil
}

// removeContext takes the cluster out of the user's kubeconfig and tells whether it was there. A file that then says nothing is
// removed, and so is its folder when it is empty: they were made by addContext.
func (c *Cluster) removeContext(ctx context.Context) (bool, error) {
	var had []string
	for _, file := range clientcmd.NewDefaultPathOptions().GetLoadingPrecedence() {
		config, err := clientcmd.LoadFromFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, kubeconfigError(err)
		}
		if err == nil && c.inConfig(config) {
			had = append(had, file)
		}
	}
	// Without a change no file is touched: a write would make the folder of one that is not there.
	if len(had) == 0 {
		return false, nil
	}
	err := c.modifyKubeconfig(ctx, func(theirs *api.Config) {
		delete(theirs.Clusters, c.Context())
		delete(theirs.AuthInfos, c.Context())
		delete(theirs.Contexts, c.Context())
		if theirs.CurrentContext == c.Context() {
			theirs.CurrentContext = ""
		}
	})
	if err != nil {
		return false, err
	}
	for _, file := range had {
		if err := removeEmpty(file); err != nil {
			return true, kubeconfigError(err)
		}
	}
	return true, nil
}

// inConfig tells whether a kubeconfig has anything of the cluster.
func (c *Cluster) inConfig(config *api.Config) bool {
	return config.Clusters[c.Context()] != nil || config.AuthInfos[c.Context()] != nil || config.Contexts[c.Context()] != nil ||
		config.CurrentContext == c.Context()
}

func removeEmpty(file string) error {
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return err
	}
	if len(config.Clusters)+len(config.AuthInfos)+len(config.Contexts)+len(config.Extensions) > 0 || config.CurrentContext != "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// It fails when the folder is not empty, which is as well.
	_ = os.Remove(filepath.Dir(file))
	return nil
}

// modifyKubeconfig changes the user's kubeconfig as kubectl does: KUBECONFIG says which files, they are locked while they are written, and
// what is not changed stays. Another program may hold the lock for a moment.
func (c *Cluster) modifyKubeconfig(ctx context.Context, change func(*api.Config)) error {
	files := clientcmd.NewDefaultPathOptions()
	var err error
	for _, pause := range []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var config *api.Config
		if config, err = files.GetStartingConfig(); err != nil {
			break
		}
		change(config)
		if err = clientcmd.ModifyConfig(files, *config, true); err == nil {
			return nil
		}
	}
	return kubeconfigError(err)
}

func kubeconfigError(err error) error {
	return &Problem{Kubeconfig, fmt.Errorf("the kubeconfig of this user: %w", err),
		"repair the file (kubectl config view shows what is wrong; a FILE.lock that is left over is to be removed), or set KUBECONFIG to another one"}
}
