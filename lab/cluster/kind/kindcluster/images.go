package kindcluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
)

// Missing returns the images that some node lacks, in the order given. Names are complete, as
// containerd keeps them: "docker.io/prom/prometheus:v3.11.0".
func (c *Cluster) Missing(ctx context.Context, refs []string) ([]string, error) {
	all, err := c.nodes(ctx)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, n := range all {
		var out bytes.Buffer
		// Not every node image has crictl.
		if err := n.Command("ctr", "--namespace=k8s.io", "images", "list",
			"--quiet").SetStdout(&out).Run(); err != nil {
			return nil, contextCause(ctx, classify(err))
		}
		for ref := range strings.FieldsSeq(out.String()) {
			count[ref]++
		}
	}
	var missing []string
	for _, ref := range refs {
		if count[ref] < len(all) || len(all) == 0 {
			missing = append(missing, ref)
		}
	}
	return missing, nil
}

// Load loads the images of an archive into every node.
func (c *Cluster) Load(ctx context.Context, a Archive) error {
	all, err := c.nodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		err := loadInto(ctx, a, func(r io.Reader) error { return nodeutils.LoadImageArchive(n, r) })
		if err != nil {
			return contextCause(ctx, fmt.Errorf("load images into %s: %w", n, classify(err)))
		}
	}
	return nil
}

// contextCause returns the context's cause if the context has ended, else err.
func contextCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
