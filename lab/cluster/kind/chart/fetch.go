package chart

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"coalmine/manifests"
)

// Size limits of downloads in bytes. Linkerd's index has a few megabytes, the largest chart 0.1,
// the archive of Gateway API 5.
const (
	maxIndex   = 64 << 20
	maxChart   = 8 << 20
	maxArchive = 32 << 20
)

// networkError is an error that a missing network may have caused.
type networkError struct{ error }

// Unwrap returns the cause.
func (e networkError) Unwrap() error { return e.error }

// Hint says what to do.
func (e networkError) Hint() string {
	return "without network, create a bundle on a connected machine (coalmine bundle create -o FILE) and use it: " +
		"coalmine up --bundle FILE"
}

// Fetch downloads a chart and returns its archive (.tgz). Its SHA-256 must match the repository's
// index and the pinned one, if any.
func Fetch(ctx context.Context, client *http.Client, c manifests.Chart) ([]byte, error) {
	archive, err := fetchChart(ctx, client, c)
	if err != nil {
		return nil, fmt.Errorf("fetch chart %s %s: %w", c.Name, c.Version, err)
	}
	return archive, nil
}

func fetchChart(ctx context.Context, client *http.Client, c manifests.Chart) ([]byte, error) {
	index, err := get(ctx, client, strings.TrimSuffix(c.Repo, "/")+"/index.yaml", maxIndex)
	if err != nil {
		return nil, err
	}
	e, err := find(index, c)
	if err != nil {
		return nil, err
	}
	address, err := e.url(c.Repo)
	if err != nil {
		return nil, err
	}
	archive, err := get(ctx, client, address, maxChart)
	if err != nil {
		return nil, err
	}
	return archive, checkSHA256(archive, address, e.Digest, c.SHA256)
}

// indexEntry is a version of a chart in a repository's index (Helm, "The chart repository guide").
type indexEntry struct {
	Version string   `json:"version"`
	Digest  string   `json:"digest"`
	URLs    []string `json:"urls"`
}

func find(index []byte, c manifests.Chart) (indexEntry, error) {
	var i struct {
		Entries map[string][]indexEntry `json:"entries"`
	}
	if err := yaml.Unmarshal(index, &i); err != nil {
		return indexEntry{}, fmt.Errorf("%s/index.yaml: %w", c.Repo, err)
	}
	for _, e := range i.Entries[c.Name] {
		if e.Version == c.Version {
			return e, nil
		}
	}
	return indexEntry{}, fmt.Errorf("%s/index.yaml does not have this version; it has %d versions of the chart", c.Repo,
		len(i.Entries[c.Name]))
}

// url returns the URL of the archive. In the index, it may be relative.
func (e indexEntry) url(repo string) (string, error) {
	if len(e.URLs) == 0 {
		return "", errors.New("the repository's index has no URL for it")
	}
	base, err := url.Parse(strings.TrimSuffix(repo, "/") + "/")
	if err != nil {
		return "", err
	}
	u, err := base.Parse(e.URLs[0])
	if err != nil {
		return "", fmt.Errorf("the repository's index has an invalid URL for it: %w", err)
	}
	return u.String(), nil
}

// FetchGatewayAPI downloads the CRDs of Gateway API as one stream of YAML documents.
func FetchGatewayAPI(ctx context.Context, client *http.Client, g manifests.GatewayAPI) ([]byte, error) {
	archive, err := get(ctx, client, g.URL, maxArchive)
	if err == nil {
		err = checkSHA256(archive, g.URL, g.SHA256)
	}
	var crds []byte
	if err == nil {
		crds, err = unzip(archive, g.Folder)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch the CRDs of Gateway API %s: %w", g.Version, err)
	}
	return crds, nil
}

// unzip returns the YAML files of a folder, in the order of their names.
func unzip(archive []byte, folder string) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(slices.Clone(z.File), func(f *zip.File) bool {
		return path.Dir(f.Name) != folder || path.Ext(f.Name) != ".yaml"
	})
	if len(files) == 0 {
		return nil, fmt.Errorf("the archive has no YAML files in %s", folder)
	}
	slices.SortFunc(files, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	var all bytes.Buffer
	for _, f := range files {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		text, err := read(r, maxArchive)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		fmt.Fprintf(&all, "---\n%s\n", text)
	}
	return all.Bytes(), nil
}

// get returns the body of a response of at most max bytes.
func get(ctx context.Context, client *http.Client, address string, max int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, networkError{err}
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is written
	if resp.StatusCode != http.StatusOK {
		return nil, networkError{fmt.Errorf("GET %s: %s", address, resp.Status)}
	}
	body, err := read(resp.Body, max)
	if err != nil {
		return nil, networkError{fmt.Errorf("GET %s: %w", address, err)}
	}
	return body, nil
}

func read(r io.Reader, max int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, max+1))
	if err == nil && int64(len(body)) > max {
		err = fmt.Errorf("more than %d MiB", max>>20)
	}
	return body, err
}

// checkSHA256 compares a SHA-256 with all known ones; at least one must be known.
func checkSHA256(body []byte, address string, want ...string) error {
	h := sha256.Sum256(body)
	got := hex.EncodeToString(h[:])
	known := slices.DeleteFunc(want, func(w string) bool { return w == "" })
	if len(known) == 0 {
		return fmt.Errorf("%s: no SHA-256 to compare with", address)
	}
	for _, w := range known {
		if !strings.EqualFold(strings.TrimPrefix(w, "sha256:"), got) {
			return fmt.Errorf("%s: SHA-256 is %s, want %s: it was changed in transit or at its source", address, got, w)
		}
	}
	return nil
}
