package bundle

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxIndex is the maximum size in bytes of manifest.json in a docker archive.
const maxIndex = 4 << 20

// hintArchive says which archives are accepted.
const hintArchive = "give an uncompressed tar of `docker save IMAGE:TAG`"

// archiveRefs reads a whole docker archive and returns the complete names of its images.
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
			return nil, fmt.Errorf("%w: it has %s twice", errNoArchive, manifestName)
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
	// Bytes after the end of the tar are part of the file too.
	_, err := io.Copy(io.Discard, r)
	return refs, err
}

// errNoArchive reports a file that is not a docker archive.
var errNoArchive = &InputError{errors.New("not a docker archive"), hintArchive}

// indexRefs reads the names in a docker archive's manifest.json
// (https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format).
func indexRefs(r io.Reader) ([]string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoArchive, err)
	}
	if len(data) > maxIndex {
		return nil, fmt.Errorf("%w: its %s exceeds %d bytes", errNoArchive, manifestName, maxIndex)
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
