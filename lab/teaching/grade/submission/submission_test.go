package submission_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"coalmine/lab/guardrail"
	"coalmine/lab/teaching/grade/submission"
)

// file is an entry of an archive.
type file struct {
	name, text string
	mode       os.FileMode // of what is not a regular file
}

func zipped(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, NonUTF8: !utf8.ValidString(f.name)}
		h.SetMode(f.mode | 0o644)
		e, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range headers {
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t testing.TB, name string, data []byte) (map[string][]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := submission.List(t.Context(), ".", []string{path}, true)
	if err != nil {
		t.Fatal(err)
	}
	return submission.Read(t.Context(), list[0])
}

func TestArchivesAreRefused(t *testing.T) {
	const yaml = "kind: Canary\n"
	many := make([]file, guardrail.MaxEntries+1)
	for i := range many {
		many[i] = file{name: fmt.Sprintf("d%d/f%d", i%50, i)}
	}
	encrypted := zipped(t, file{name: "a.yaml", text: yaml})
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"slip":        {zipped(t, file{name: "../a.yaml", text: yaml}), "leads out of it"},
		"slip inside": {zipped(t, file{name: "x/../../a.yaml", text: yaml}), "leads out of it"},
		"absolute":    {zipped(t, file{name: "/etc/a.yaml", text: yaml}), "absolute path"},
		"drive":       {zipped(t, file{name: "C:a.yaml", text: yaml}), "absolute path"},
		"backslash":   {zipped(t, file{name: `x\a.yaml`, text: yaml}), "backslash"},
		"link":        {zipped(t, file{name: "a.yaml", text: "/etc/passwd", mode: os.ModeSymlink}), "a link"},
		"device":      {zipped(t, file{name: "a.yaml", mode: os.ModeDevice}), "not a regular file"},
		"pipe":        {zipped(t, file{name: "a.yaml", mode: os.ModeNamedPipe}), "not a regular file"},
		"escape":      {zipped(t, file{name: "a\x1b[2J.yaml", text: yaml}), "cannot be shown"},
		"bidi":        {zipped(t, file{name: "a\u202e.yaml", text: yaml}), "cannot be shown"},
		"encoding":    {zipped(t, file{name: "gr\xfc\xdfe.yaml", text: yaml}), "not UTF-8"},
		"twice":       {zipped(t, file{name: "a.yaml", text: yaml}, file{name: "./a.yaml", text: yaml}), "twice"},
		"case":        {zipped(t, file{name: "a.yaml", text: yaml}, file{name: "A.yaml", text: yaml}), "twice"},
		"nested":      {zipped(t, file{name: "a.yaml", text: yaml}, file{name: "b.zip"}), "another archive"},
		"long":        {zipped(t, file{name: strings.Repeat("a", 300) + ".yaml"}), "path of 305 bytes"},
		"deep":        {zipped(t, file{name: strings.Repeat("a/", 20) + "a.yaml"}), "deeper than"},
		"many":        {zipped(t, many...), fmt.Sprintf("more than %d entries", guardrail.MaxEntries)},
		"big":         {zipped(t, file{name: "a.yaml", text: strings.Repeat("a", 2<<20)}), "larger than 1048576 bytes"},
		"encrypted":   {encrypted, "encrypted"},
		"cut":         {zipped(t, file{name: "a.yaml", text: yaml})[:40], "broken"},
		"text":        {[]byte("hello"), "neither a zip nor"},
		"empty":       {nil, "neither a zip nor"},
		"gzip":        {[]byte("\x1f\x8b\x00"), "broken"},
		"tar bomb":    {tarred(t, tar.Header{Name: "x.bin", Size: 65 << 20}), "unpacks to more than 64 MiB"},
		"tar link": {tarred(t, tar.Header{Name: "a.yaml", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}),
			"a link"},
		"tar hardlink": {tarred(t, tar.Header{Name: "a.yaml", Linkname: "b.yaml", Typeflag: tar.TypeLink}),
			"a link"},
		"tar device": {tarred(t, tar.Header{Name: "a.yaml", Typeflag: tar.TypeChar}), "not a regular file"},
		"tar fifo":   {tarred(t, tar.Header{Name: "a.yaml", Typeflag: tar.TypeFifo}), "not a regular file"},
		"tar slip":   {tarred(t, tar.Header{Name: "../a.yaml", Size: 3}), "leads out of it"},
		"tar twice":  {tarred(t, tar.Header{Name: "a.yaml", Size: 3}, tar.Header{Name: "a.yaml", Size: 3}), "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := read(t, "a.zip", c.data)
			var refused *submission.Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%d files, %v; want a refusal with %q", len(files), err, c.says)
			}
		})
	}
}

func TestArchivesAreRead(t *testing.T) {
	data := zipped(t, file{name: "hand-in/canary.yaml", text: "a"}, file{name: "hand-in/README.md", text: "b"},
		file{name: "__MACOSX/hand-in/._canary.yaml", text: "c"}, file{name: "hand-in/.git/x.zip", text: "d"},
		file{name: "größe/metric.yml", text: "e"}, file{name: "hand-in/dir/", mode: os.ModeDir})
	files, err := read(t, "ann.zip", data)
	if err != nil || len(files) != 2 || string(files["hand-in/canary.yaml"]) != "a" ||
		string(files["größe/metric.yml"]) != "e" {
		t.Errorf("read %v, %v", files, err)
	}
	files, err = read(t, "ann.tar.gz", tarred(t, tar.Header{Name: "x/a.yaml", Size: 3},
		tar.Header{Name: "b.bin", Size: 9}))
	if err != nil || len(files) != 1 || len(files["x/a.yaml"]) != 3 {
		t.Errorf("read %v, %v", files, err)
	}
}

// Whatever bytes an archive has, reading ends, and no name leads out of it.
func TestAnyArchive(t *testing.T) {
	valid := zipped(t, file{name: "a/b.yaml", text: "kind: Canary"}, file{name: "c.json", text: "{}"})
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		data := bytes.Clone(valid)
		for range rapid.IntRange(0, 8).Draw(r, "edits") {
			data[rapid.IntRange(0, len(data)-1).Draw(r, "at")] = rapid.Byte().Draw(r, "byte")
		}
		path := filepath.Join(dir, "x.zip")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			r.Fatal(err)
		}
		list, err := submission.List(context.Background(), ".", []string{path}, true)
		if err != nil {
			r.Fatal(err)
		}
		files, err := submission.Read(context.Background(), list[0])
		var refused *submission.Refused
		if err != nil && !errors.As(err, &refused) {
			r.Errorf("the error is no refusal: %v", err)
		}
		for name := range files {
			if !filepath.IsLocal(name) {
				r.Errorf("%q leads out of the archive", name)
			}
		}
	})
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ann", "bob/x", "Jane Doe_1234_assignsubmission_file", ".hidden"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"ann.zip", "eve.tar.gz", "roster.txt", "doejane_77_1_canary.yaml",
		"doejane_77_2_metric.yaml",
		"zoe_LATE_78_3_all.zip", "fay.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := submission.List(t.Context(), dir, []string{"."}, false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		line := s.Learner + " " + string(s.Kind) + " " + s.FullName + s.CanvasID
		if s.Problem != "" {
			line += "!"
		}
		got = append(got, strings.TrimSpace(line))
	}
	want := "ann folder !|bob folder|doejane_77 files 77|eve archive|fay files|" +
		"Jane Doe_1234 folder Jane Doe|zoe_78 archive 78"
	if strings.Join(got, "|") != want {
		t.Errorf("listed\n%s, want\n%s", strings.Join(got, "|"), want)
	}
}

func TestSafe(t *testing.T) {
	for name, want := range map[string]string{"ann": "ann", "Ann Müller": "Ann Müller", "a.b@x.org": "a.b@x.org"} {
		if got := submission.Safe(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.String().Draw(r, "a"), rapid.String().Draw(r, "b")
		safe := submission.Safe(a)
		if !filepath.IsLocal(safe) || strings.ContainsAny(safe, "/\\\x00\x1b\n") || len(safe) > 120 ||
			strings.HasPrefix(safe, "=") {
			r.Errorf("%q becomes %q", a, safe)
		}
		if a != b && safe == submission.Safe(b) {
			r.Errorf("%q and %q both become %q", a, b, safe)
		}
	})
}

func TestGuardrails(t *testing.T) {
	files := func(names ...string) map[string][]byte {
		all := map[string][]byte{}
		for _, n := range names {
			all[n] = []byte("kind: Canary")
		}
		return all
	}
	run := files("w/run.json", "w/card.json", "w/guardrails/a.yaml", "w/scenario/scenario.yaml")
	own := files("a.yaml", "b/scenario.yaml")
	own["b/scenario.yaml"] = []byte("kind: Scenario")
	for name, c := range map[string]struct {
		files    map[string][]byte
		scenario string
		alone    bool
		want     string
	}{
		"alone":        {files("x/a.yaml", "b.yaml"), "s", true, "b.yaml x/a.yaml"},
		"by name":      {files("x/s/a.yaml", "x/t/b.yaml"), "s", false, "a.yaml"},
		"not there":    {files("x/t/b.yaml"), "s", false, ""},
		"named, alone": {files("s/a.yaml", "t/b.yaml"), "s", true, "a.yaml"},
		"run folder":   {run, "s", true, "a.yaml"},
		"scenario":     {own, "s", true, "a.yaml"},
		"twice":        {files("x/s/a.yaml", "y/s/a.yaml"), "s", true, "several folders"},
	} {
		got, err := submission.Guardrails(c.files, c.scenario, c.alone)
		text := strings.Join(sorted(got), " ")
		if err != nil {
			text = err.Error()
		}
		if text != c.want && (err == nil || !strings.Contains(text, c.want)) {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}

func sorted(files map[string][]byte) []string {
	var names []string
	for n := range files {
		i := 0
		for i < len(names) && names[i] < n {
			i++
		}
		names = append(names[:i], append([]string{n}, names[i:]...)...)
	}
	return names
}

func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-C", dir}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("canary.yaml", "kind: Canary\n$Format:%H$\n")
	write(".gitattributes", "canary.yaml export-subst\n*.yaml export-ignore\n")
	git("add", "-A")
	git("commit", "-q", "-m", "a")
	git("branch", "submissions/ann")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	git("commit", "-q", "-m", "b")
	git("branch", "submissions/bob")
	list, err := submission.List(t.Context(), ".", []string{dir + "#submissions/*"}, false)
	if err != nil || len(list) != 2 || list[0].Learner != "ann" || list[1].Learner != "bob" {
		t.Fatalf("listed %v, %v", list, err)
	}
	files, err := submission.Read(t.Context(), list[0])
	if err != nil || string(files["canary.yaml"]) != "kind: Canary\n$Format:%H$\n" {
		t.Errorf("read %q, %v", files, err)
	}
	if _, err := submission.Read(t.Context(), list[1]); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link is read: %v", err)
	}
}
