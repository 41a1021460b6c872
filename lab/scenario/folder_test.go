package scenario

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scenarioDir writes a valid scenario with one variant to disk.
func scenarioDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileScenario), []byte(minimal))
	write(t, filepath.Join(dir, "naive", "canary.yaml"), []byte("kind: Canary"))
	write(t, filepath.Join(dir, "naive", "deep", "metric.yml"), []byte("kind: MetricTemplate"))
	write(t, filepath.Join(dir, "naive", "README.md"), []byte("not a manifest"))
	return dir
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFolderOnDisk(t *testing.T) {
	f := open(t, scenarioDir(t))
	if s, err := f.Load(); err != nil || s.Name != "minimal" {
		t.Fatalf("loaded %v, error %v", s, err)
	}
	files, err := f.Files("naive")
	if err != nil || len(files) != 2 || string(files["deep/metric.yml"]) != "kind: MetricTemplate" {
		t.Errorf("the files of naive are %q, error %v", files, err)
	}
	if variants, err := f.Variants(); err != nil || len(variants) != 1 || variants[0] != "naive" {
		t.Errorf("the variants are %v, error %v", variants, err)
	}
	for _, name := range []string{"starter", "..", "", "naive/deep"} {
		if files, err := f.Files(name); err == nil {
			t.Errorf("Files(%q) returned %v", name, files)
		}
	}
}

func TestFolderErrorsContainThePathOnDisk(t *testing.T) {
	dir := scenarioDir(t)
	write(t, filepath.Join(dir, FileScenario), []byte(strings.Replace(minimal, "level: 1", "level: 9", 1)))
	_, err := open(t, dir).Load()
	want := filepath.Join(dir, FileScenario) + ":9: spec.level: "
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %s", err, want)
	}
}

func TestFolderLimits(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	write(t, outside, []byte("kind: Secret"))
	for name, test := range map[string]struct {
		spoil func(dir string)
		want  string
	}{
		"a link out of the folder": {func(dir string) {
			if err := os.Symlink(outside, filepath.Join(dir, "naive", "link.yaml")); err != nil {
				t.Skip(err)
			}
		}, "link.yaml"},
		"a large manifest": {func(dir string) {
			write(t, filepath.Join(dir, "naive", "large.yaml"), bytes.Repeat([]byte("#"), maxFile+1))
		}, "is over 1024 KiB"},
		"many manifests": {func(dir string) {
			for i := range maxFiles {
				write(t, filepath.Join(dir, "naive", strings.Repeat("x", i+1)+".yaml"), nil)
			}
		}, "over 100 manifests"},
		"much in total": {func(dir string) {
			for i := range 5 {
				write(t, filepath.Join(dir, "naive", strings.Repeat("x", i+1)+".yaml"),
					bytes.Repeat([]byte("#"), maxFile))
			}
		}, "over 4 MiB"},
		"deep folders": {func(dir string) {
			write(t, filepath.Join(dir, "naive", strings.Repeat("d/", 20), "x.yaml"), nil)
		}, "nested over 8 deep"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := scenarioDir(t)
			test.spoil(dir)
			if files, err := open(t, dir).Files("naive"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d files, error %v, want one with %q", len(files), err, test.want)
			}
		})
	}
}

func TestFolderRefusesIrregularFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, FileScenario), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Load(); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder as %s: error %v", FileScenario, err)
	}
}
