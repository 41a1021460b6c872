package bundle

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// FetchError reports a failed download.
type FetchError struct {
	Need Need
	Err  error
}

func (e *FetchError) Error() string { return fmt.Sprintf("fetch %s: %v", e.Need, e.Err) }
func (e *FetchError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *FetchError) Hint() string {
	return "creating a bundle downloads all that is not given: provide it with flags or --from, or leave it out " +
		"with --partial"
}

// node finds the node image: in the archives, in Docker, or in its registry.
func (c *collection) node(ctx context.Context) error {
	ref := c.Spec.Node
	if ref == "" {
		ref = c.needs.Node
	}
	full, err := fullRef(ref)
	if err != nil {
		return err
	}
	c.Contents.Node.Ref = full
	if i := slices.IndexFunc(c.Contents.Images, func(a Archive) bool { return slices.Contains(a.Refs, full) }); i >= 0 {
		a := c.Contents.Images[i]
		if len(a.Refs) > 1 {
			return inputError("give the node image as a separate archive",
				"the archive of node image %s has other images: %s", full, strings.Join(a.Refs, ", "))
		}
		c.Contents.Images = slices.Delete(c.Contents.Images, i, i+1)
		c.Contents.Node.Archive = &a
		return nil
	}
	need := Need{Kind: KindNode, Name: full}
	a, err := c.nodeImage(ctx, ref)
	switch {
	case err != nil && c.skip(ctx, need, err):
		return nil
	case err != nil:
		return &FetchError{need, err}
	}
	c.Contents.Node.Archive = &a
	return nil
}

// nodeImage takes the node image from Docker if it has one of that name. A name with a digest is
// pulled: Docker's tag may refer to another image.
func (c *collection) nodeImage(ctx context.Context, ref string) (Archive, error) {
	if withoutDigest(ref) == ref {
		has, err := c.Docker.Has(ctx, ref)
		if has {
			c.Spec.Say("node image %s from Docker", ref)
			return c.Docker.Save(ref), nil
		}
		if c.Folder != "" && err != nil {
			return Archive{}, err
		}
	}
	if c.Folder != "" {
		return Archive{}, inputError("load it into Docker, name an existing one with --node-image, or give its "+
			"archive with --image",
			"node image %s: %w in Docker", ref, ErrMissing)
	}
	c.Spec.Say("node image %s from its registry", ref)
	return c.Pull(ctx, ref)
}

// fetch downloads what is still missing, if downloads are allowed.
func (c *collection) fetch(ctx context.Context) error {
	if c.Folder != "" {
		return nil
	}
	for _, need := range c.needs.Missing(c.manifest()) {
		if need.Kind == KindNode {
			continue // skipped before
		}
		c.Spec.Say("%s from the network", need)
		if err := c.fetchOne(ctx, need); err != nil && !c.skip(ctx, need, err) {
			return &FetchError{need, err}
		}
	}
	return nil
}

func (c *collection) fetchOne(ctx context.Context, need Need) error {
	switch need.Kind {
	case KindImage:
		a, err := c.Pull(ctx, need.Name)
		if err != nil {
			return err
		}
		c.Contents.Images = append(c.Contents.Images, a)
	case KindChart:
		data, err := c.Fetcher.Chart(ctx, need.Name)
		if err != nil {
			return err
		}
		chart, err := parseChart(data)
		if err != nil {
			return err
		}
		c.Contents.Charts = append(c.Contents.Charts, chart)
	case KindCRDs:
		data, err := c.Fetcher.CRDs(ctx, need.Name)
		if err != nil {
			return err
		}
		c.Contents.CRDs = append(c.Contents.CRDs, CRDs{need.Name, data})
	}
	return nil
}

// fetchOptional downloads the optional images, if downloads are allowed, and reports those that the
// bundle will lack.
func (c *collection) fetchOptional(ctx context.Context) error {
	for _, need := range c.needs.MissingOptional(c.manifest()) {
		err := fmt.Errorf("it is not in %s", c.Folder)
		if c.Folder == "" {
			c.Spec.Say("%s from the network", need)
			err = c.fetchOne(ctx, need)
		}
		switch {
		case ctx.Err() != nil:
			return &FetchError{need, context.Cause(ctx)}
		case err != nil:
			c.Spec.Say("left out the optional %s: %v", need, err)
		}
	}
	return nil
}

// skip reports whether to continue without it: in a partial bundle, and if nothing is downloaded,
// because then all that is missing is reported at the end.
func (c *collection) skip(ctx context.Context, need Need, err error) bool {
	if !c.Partial && c.Folder == "" || ctx.Err() != nil {
		return false
	}
	c.Spec.Say("skipped %s: %v", need, err)
	return true
}
