package recordings

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// kubectl does what a command of a recording does.
func (c *cluster) kubectl(args []string) error {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		return a == "--overwrite" || a == "--type=json"
	})
	ns := namespace
	if len(args) > 2 && args[0] == "-n" {
		ns, args = args[1], args[2:]
	}
	if ns == "linkerd" {
		c.controlPlane(args)
		return nil
	}
	switch args[0] {
	case "scale":
		replicas, _ := strconv.Atoi(strings.TrimPrefix(args[3], "--replicas="))
		return c.edit("deploy", ns, args[2], fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas), true)
	case "annotate":
		return c.annotate(ns, args[1], args[2], args[3:])
	case "patch":
		merge := args[3] == "--type=merge"
		if merge {
			args = slices.Delete(args, 3, 4)
		}
		return c.edit(args[1], ns, args[2], args[4], merge)
	case "rollout":
		return c.rollout(ns, args[1:])
	case "delete":
		return c.deleteObject(ns, args[1:])
	case "exec":
		return c.exec(args)
	case "get":
		return nil
	}
	return fmt.Errorf("kubectl %v is not known to the player", args)
}

// kindOf returns kind and group of a name that kubectl takes.
func kindOf(resource string) (kind, group string) {
	name, group, _ := strings.Cut(resource, ".")
	switch strings.TrimSuffix(name, "s") {
	case "deploy", "deployment":
		return "Deployment", "apps"
	case "svc", "service":
		return "Service", ""
	case "httproute":
		if group == "" {
			group = "gateway.networking.k8s.io"
		}
		return "HTTPRoute", group
	}
	if group == "" {
		group = "policy.linkerd.io"
	}
	return strings.TrimSuffix(name, "s"), group
}

// edit patches an object.
func (c *cluster) edit(resource, ns, name, patch string, merge bool) error {
	kind, group := kindOf(resource)
	k := key(kind, group, ns, name)
	old, ok := c.objects[k]
	if !ok {
		return nil // of the control plane, which is not played
	}
	var changed []byte
	var err error
	if merge {
		changed, err = jsonpatch.MergePatch(old, []byte(patch))
	} else {
		var p jsonpatch.Patch
		if p, err = jsonpatch.DecodePatch([]byte(patch)); err == nil {
			changed, err = p.Apply(old)
		}
	}
	if err != nil {
		return err
	}
	c.objects[k] = changed
	c.reconcile()
	return nil
}

func (c *cluster) annotate(ns, resource, name string, args []string) error {
	annotations := map[string]any{}
	for _, a := range args {
		if k, value, ok := strings.Cut(a, "="); ok {
			annotations[k] = value
		} else {
			annotations[strings.TrimSuffix(a, "-")] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	return c.edit(resource, ns, name, string(patch), true)
}

func (c *cluster) rollout(ns string, args []string) error {
	for _, target := range args[1:] {
		_, name, ok := strings.Cut(target, "/")
		switch {
		case !ok:
		case args[0] == "status":
			c.run(seconds(90), c.settled)
		case c.clients[name] != nil:
			c.restartClient(name)
		default:
			patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"restartedAt":"%d"}}}}}`, c.now)
			if err := c.edit("deploy", ns, name, patch, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// restartClient gives a client a new pod, whose proxy knows nothing.
func (c *cluster) restartClient(name string) {
	i := slices.Index([]string{"client", "stranger", "outsider"}, name)
	c.registry.Reset(-1 - i)
	c.clients[name].gone = true
	c.clients[name] = c.newClient(name, i)
	c.clients[name].follow(c.routes)
}

func (c *cluster) deleteObject(ns string, args []string) error {
	if args[0] == "pod" {
		for _, p := range c.pods {
			if !p.gone && p.deployment == "v1" { // POD1 stands for the first
				p.terminate()
				c.reconcileDeployments()
				return nil
			}
		}
	}
	kind, group := kindOf(args[0])
	c.removeKey(key(kind, group, ns, args[1]))
	c.reconcile()
	return nil
}

// exec sends a request from a client's pod, as "exec deploy/stranger … get URL".
func (c *cluster) exec(args []string) error {
	_, name, _ := strings.Cut(args[1], "/")
	u, err := url.Parse(args[len(args)-1])
	if err != nil || c.clients[name] == nil {
		return fmt.Errorf("exec %v: %v", args, err)
	}
	c.clients[name].send(&call{method: "GET", url: u, host: u.Host}, func(reply) {})
	return nil
}
