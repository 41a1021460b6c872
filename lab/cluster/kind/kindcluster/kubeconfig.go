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

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// RESTConfig returns the configuration for the cluster's API. It is read from the node, not from
// the user's kubeconfig, which may contain anything.
func (c *Cluster) RESTConfig(ctx context.Context) (*rest.Config, error) {
	kubeconfig, err := c.kubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.NewDefaultClientConfig(*kubeconfig, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig of cluster %s: %w", c.name, err)
	}
	// Installing exceeds the default limit of 5 requests a second.
	config.QPS, config.Burst = 100, 200
	return config, nil
}

// apiPort is the API server's port in the node, adminConf the kubeconfig that kubeadm writes there.
const (
	apiPort   = "6443/tcp"
	adminConf = "/etc/kubernetes/admin.conf"
)

// kubeconfig returns a configuration with only the cluster, its user and its context, under kind's
// name for them. kind's own KubeConfig returns the same but runs the docker command seven times,
// which is too slow for status.
func (c *Cluster) kubeconfig(ctx context.Context) (*api.Config, error) {
	all, err := c.containers(ctx)
	if err != nil {
		return nil, err
	}
	first, ok := controlPlane(all)
	if !ok {
		return nil, &Problem{NotReady, fmt.Errorf("there is no cluster %s", c.name),
			"create it with: coalmine up --name " + c.name}
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

// server returns the URL of the API server on this machine. Docker Desktop records the forwarded
// ports in a label (kind, pkg/cluster/internal/providers/docker/provider.go, GetAPIServerEndpoint).
func (n container) server() (string, error) {
	if at := n.Config.Labels["desktop.docker.io/ports/"+apiPort]; at != "" {
		return "https://" + at, nil
	}
	bound := n.NetworkSettings.Ports[apiPort]
	if len(bound) == 0 {
		return "", fmt.Errorf("the port of the API server of %s is not bound: is the container running?", n.Name)
	}
	return "https://" + net.JoinHostPort(bound[0].HostIP, bound[0].HostPort), nil
}

// addContext adds the cluster to the user's kubeconfig, in one write. Unlike kind's own export it
// keeps the current context, unless there is none.
func (c *Cluster) addContext(ctx context.Context) error {
	cluster, err := c.kubeconfig(ctx)
	if err != nil {
		return err
	}
	return c.modifyKubeconfig(ctx, func(user *api.Config) {
		user.Clusters[c.Context()] = cluster.Clusters[c.Context()]
		user.AuthInfos[c.Context()] = cluster.AuthInfos[c.Context()]
		user.Contexts[c.Context()] = cluster.Contexts[c.Context()]
		if user.CurrentContext == "" {
			user.CurrentContext = c.Context()
		}
	})
}

func (c *Cluster) hasContext() (bool, error) {
	config, err := clientcmd.NewDefaultPathOptions().GetStartingConfig()
	if err != nil {
		return false, kubeconfigError(err)
	}
	return config.Contexts[c.Context()] != nil && config.Clusters[c.Context()] != nil &&
		config.AuthInfos[c.Context()] != nil, nil
}

// removeContext removes the cluster from the user's kubeconfig and reports whether it was there. It
// deletes a file that is empty afterwards, and its folder if that is empty too: addContext created
// them.
func (c *Cluster) removeContext(ctx context.Context) (bool, error) {
	var files []string
	for _, file := range clientcmd.NewDefaultPathOptions().GetLoadingPrecedence() {
		config, err := clientcmd.LoadFromFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, kubeconfigError(err)
		}
		if err == nil && c.inConfig(config) {
			files = append(files, file)
		}
	}
	// A write would create the folder of a file that does not exist.
	if len(files) == 0 {
		return false, nil
	}
	err := c.modifyKubeconfig(ctx, func(user *api.Config) {
		delete(user.Clusters, c.Context())
		delete(user.AuthInfos, c.Context())
		delete(user.Contexts, c.Context())
		if user.CurrentContext == c.Context() {
			user.CurrentContext = ""
		}
	})
	if err != nil {
		return false, err
	}
	for _, file := range files {
		if err := removeEmpty(file); err != nil {
			return true, kubeconfigError(err)
		}
	}
	return true, nil
}

// inConfig reports whether a kubeconfig mentions the cluster.
func (c *Cluster) inConfig(config *api.Config) bool {
	return config.Clusters[c.Context()] != nil || config.AuthInfos[c.Context()] != nil ||
		config.Contexts[c.Context()] != nil || config.CurrentContext == c.Context()
}

func removeEmpty(file string) error {
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return err
	}
	if len(config.Clusters)+len(config.AuthInfos)+len(config.Contexts)+len(config.Extensions) > 0 ||
		config.CurrentContext != "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// It fails if the folder is not empty, as it should.
	_ = os.Remove(filepath.Dir(file))
	return nil
}

// modifyKubeconfig changes the user's kubeconfig as kubectl does: KUBECONFIG names the files, they
// are locked during the write, and everything else stays. If another program holds the lock, it
// retries.
func (c *Cluster) modifyKubeconfig(ctx context.Context, change func(*api.Config)) error {
	files := clientcmd.NewDefaultPathOptions()
	pauses := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 10, Steps: 4}
	var lastErr error
	err := wait.ExponentialBackoffWithContext(ctx, pauses, func(context.Context) (bool, error) {
		config, err := files.GetStartingConfig()
		if err != nil {
			return false, err
		}
		change(config)
		lastErr = clientcmd.ModifyConfig(files, *config, true)
		return lastErr == nil, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case lastErr != nil:
		err = lastErr
	}
	return kubeconfigError(err)
}

func kubeconfigError(err error) error {
	return &Problem{Kubeconfig, fmt.Errorf("the user's kubeconfig: %w", err),
		"repair the file (kubectl config view shows the error; remove a leftover FILE.lock), or set KUBECONFIG to " +
			"another one"}
}
