package guardrail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"

// folder writes files below a temporary folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func loadWith(ctx context.Context, path string) (*Set, error) {
	files, err := ReadFiles(ctx, path)
	if err != nil {
		return nil, err
	}
	return ParseInput(ctx, Input{Files: files}, testEnvironment())
}

func load(t *testing.T, path string) (*Set, error) {
	t.Helper()
	return loadWith(t.Context(), path)
}

// wantError checks for one error that contains the text.
func wantError(t *testing.T, err error, text string) {
	t.Helper()
	var found Errors
	if !errors.As(err, &found) {
		t.Fatalf("got %v, want %q", err, text)
	}
	if !strings.Contains(found.Error(), text) {
		t.Fatalf("got %v, want %q", found, text)
	}
}

func TestLoadWalksFolders(t *testing.T) {
	dir := folder(t, map[string]string{
		"a/one.yaml":        strings.Replace(configMap, "settings", "one", 1),
		"two.YML":           strings.Replace(configMap, "settings", "two", 1),
		"README.md":         "# not YAML: [",
		".hidden.yaml":      "not YAML: [",
		".git/config.yaml":  "not YAML: [",
		"b/notes.yaml.orig": "not YAML: [",
	})
	set, err := load(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Objects) != 2 || set.Objects[0].Source.String() != "a/one.yaml:1" || set.Objects[1].Name != "two" {
		t.Errorf("got %+v", set.Objects)
	}
	if len(set.Files) != 2 || string(set.Files["two.YML"]) == "" {
		t.Errorf("got files %v", set.Files)
	}
}

func TestLoadReadsOneFile(t *testing.T) {
	dir := folder(t,
		map[string]string{"all.yaml": configMap + "---\n" + strings.Replace(configMap, "settings", "more", 1),
			"other.yaml": "a: ["})
	if err := os.Symlink(filepath.Join(dir, "all.yaml"), filepath.Join(t.TempDir(), "link.yaml")); err != nil {
		t.Fatal(err)
	}
	set, err := load(t, filepath.Join(dir, "all.yaml"))
	if err != nil || len(set.Objects) != 2 {
		t.Fatalf("got %v, %v", set, err)
	}
}

func TestLoadReportsMissingManifests(t *testing.T) {
	if _, err := load(t, filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	_, err := load(t, t.TempDir())
	wantError(t, err, "there are no manifests")
	_, err = load(t, filepath.Join(folder(t, map[string]string{"x.txt": ""}), "x.txt"))
	wantError(t, err, "x.txt: is not a manifest")
}

func TestLoadStopsWhenCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := loadWith(ctx, folder(t, map[string]string{"a.yaml": configMap})); !errors.Is(err,
		context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLoadDoesNotReadHugeFile(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": configMap})
	huge := filepath.Join(dir, "huge.yaml")
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 50<<20); err != nil { // sparse: no disk is used
		t.Fatal(err)
	}
	var err error
	read := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err = load(t, dir)
		}
	}).AllocedBytesPerOp()
	wantError(t, err, "huge.yaml: the file is larger than 1048576 bytes")
	if read > 1<<20 {
		t.Errorf("allocated %d bytes for a file that must not be read", read)
	}
}

func TestLoadLimitsFolders(t *testing.T) {
	many := make(map[string]string)
	for i := range MaxFiles + 1 {
		many[fmt.Sprintf("%d.yaml", i)] = "# empty\n"
	}
	_, err := load(t, folder(t, many))
	wantError(t, err, fmt.Sprintf("more than %d manifests", MaxFiles))

	deep := strings.Repeat("d/", MaxFolderDepth+1) + "a.yaml"
	_, err = load(t, folder(t, map[string]string{deep: configMap}))
	wantError(t, err, "folders nest deeper")

	large := make(map[string]string)
	for i := range 1 + MaxTotalSize/MaxFileSize {
		large[fmt.Sprintf("%d.yaml", i)] = strings.Repeat("#", MaxFileSize)
	}
	_, err = load(t, folder(t, large))
	wantError(t, err, fmt.Sprintf("larger than %d bytes in total", MaxTotalSize))
}

func TestParsingEndsWithItsContextAndInTime(t *testing.T) {
	forever := func() (*Set, error) { select {} }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := parseWithin(ctx, time.Hour, forever); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	_, err := parseWithin(t.Context(), time.Nanosecond, forever)
	wantError(t, err, "takes longer than")
}
