package bundle

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxIndex bounds the manifest.json of a docker archive, in bytes.
const maxIndex = 4 << 20

// hintArchive says what images are taken.
const hintArchive = "give a tar of `docker save IMAGE:TAG`, not compressed"

// archiveRefs reads a docker archive to its end and tells the names of its images, in full.
func archiveRefs(r io.Reader) ([]string, error) {
	var refs []string
	found := false
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoArchive, err)
		}
		if h.Name != manifestName {
			continue
		}
		if found {
			return nil, fmt.Errorf("%w: it has two of %s", errNoArchive, manifestName)
		}
		found = true
		if refs, err = indexRefs(io.LimitReader(t, maxIndex+1)); err != nil {
			return nil, err
		}
	}
	switch {
	case !found:
		return nil, fmt.Errorf("%w: it has no %s", errNoArchive, manifestName)
	case len(refs) == 0:
		return nil, fmt.Errorf("%w: its images have no names", errNoArchive)
	}
	// What follows the end of a tar belongs to the file nevertheless.
	_, err := io.Copy(io.Discard, r)
	return refs, err
}

// errNoArchive is a file that is no docker archive.
var errNoArchive = &InputError{errors.New("no docker archive"), hintArchive}

// indexRefs reads the names in a docker archive's manifest.json
// (https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format).
func indexRefs(r io.Reader) ([]string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoArchive, err)
	}
	if len(data) > maxIndex {
		return nil, fmt.Errorf("%w: its %s is over %d bytes", errNoArchive, manifestName, maxIndex)
	}
	var images []struct{ RepoTags []string }
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errNoArchive, manifestName, err)
	}
	var refs []string
	for _, i := range images {
		for _, tag := range i.RepoTags {
			ref, err := fullRef(tag)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errNoArchive, err)
			}
			refs = append(refs, ref)
		}
	}
	return refs, nil
}
