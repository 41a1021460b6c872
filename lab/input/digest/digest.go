// Package digest names contents by their SHA-256 digest, in hexadecimal, so that a result can say
// what it was obtained with.
package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Strings returns the digest of a list of texts. Different lists have different digests.
func Strings(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s,", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Files returns the digest of files by their paths. Paths, contents and their number all count.
func Files(files map[string][]byte) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		parts = append(parts, name, string(files[name]))
	}
	return Strings(parts...)
}

// Documents returns a digest of the YAML documents in files that does not depend on what the
// documents do not say: names of files, order, comments, layout, order of keys. It is "" if a file
// is not YAML.
func Documents(files map[string][]byte) string {
	var all []string
	for _, data := range files {
		documents, err := canonical(data)
		if err != nil {
			return ""
		}
		all = append(all, documents...)
	}
	slices.Sort(all)
	return Strings(all...)
}

// canonical returns the documents of a file in a form that is the same for equal documents.
func canonical(data []byte) ([]string, error) {
	var all []string
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document any
		switch err := d.Decode(&document); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case document == nil:
			continue
		}
		text, err := json.Marshal(document)
		if err != nil {
			return nil, err
		}
		all = append(all, string(text))
	}
}
