package grade_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"coalmine/lab/teaching/grade"
)

// hostile is a submission that means no good, and what has to come of it.
type hostile struct {
	name   string
	handIn func(t *testing.T, path string)
	status grade.Status
	says   string
}

const yaml = "apiVersion: flagger.app/v1beta1\nkind: Canary\n"

// entry is one of a zip or tar archive.
type entry struct {
	name, text string
	mode       os.FileMode // of what is not a regular file
}

// zips returns what writes a zip archive. Edits change its bytes.
func zips(entries []entry, edits ...func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, e := range entries {
			h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
			h.SetMode(e.mode | 0o644)
			f, err := w.CreateHeader(h)
			if err == nil {
				_, err = io.WriteString(f, e.text)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		for _, edit := range edits {
			data = edit(data)
		}
		write(t, path, data)
	}
}

// tars returns what writes a compressed tar archive of headers with zeros.
func tars(headers ...tar.Header) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for _, h := range headers {
			err := w.WriteHeader(&h)
			if err == nil {
				_, err = io.CopyN(w, zeros{}, h.Size)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		write(t, path, b.Bytes())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// folderWith returns what writes a folder with one manifest.
func folderWith(name, text string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		file := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, file, []byte(text))
	}
}

// special returns what writes a folder in which do makes something at the path of a manifest.
func special(do func(path string) error) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := errors.Join(os.Mkdir(path, 0o755), do(filepath.Join(path, "canary.yaml"))); err != nil {
			t.Fatal(err)
		}
	}
}

// itself returns what makes something at the path of the submission.
func itself(do func(path string) error) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := do(path); err != nil {
			t.Fatal(err)
		}
	}
}

func link(to string) func(string) error {
	return func(path string) error { return os.Symlink(to, path) }
}

func pipe(path string) error { return syscall.Mkfifo(path, 0o644) }

// sparse makes a file of a size that takes no room on the disk.
func sparse(size int64) func(string) error {
	return func(path string) error {
		return errors.Join(os.WriteFile(path, []byte("PK"), 0o644), os.Truncate(path, size))
	}
}

func socket(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l.Close()
}

// numbered returns n entries of the same content.
func numbered(n int, format, text string) []entry {
	var all []entry
	for i := range n {
		all = append(all, entry{name: fmt.Sprintf(format, i), text: text})
	}
	return all
}

// central sets a byte of each header in the directory of a zip archive.
func central(offset int, value byte) func([]byte) []byte {
	return func(data []byte) []byte {
		for i := 0; ; {
			at := bytes.Index(data[i:], []byte("PK\x01\x02"))
			if at < 0 {
				return data
			}
			data[i+at+offset] = value
			i += at + 4
		}
	}
}

// archives are hostile zip and tar files, and files that only have their names.
func archives() []hostile {
	one := func(name string) []entry { return []entry{{name: name, text: yaml}} }
	of := func(name string, make func(*testing.T, string), says string) hostile {
		return hostile{name: name, handIn: make, status: grade.NotGraded, says: says}
	}
	nested := func(n int) []entry { return []entry{{name: "a.yaml", text: yaml}, {name: fmt.Sprint("b", n, ".zip")}} }
	return []hostile{
		of("bomb.zip", zips([]entry{{name: "a.yaml", text: strings.Repeat("a", 20<<20)}}),
			"larger than 1048576 bytes"),
		of("bombs.zip", zips(numbered(5, "%d.yaml", strings.Repeat("a", 1<<20))),
			"larger than 4194304 bytes in total"),
		of("liar.zip", zips([]entry{{name: "a.yaml", text: strings.Repeat("a", 9000)}}, central(24, 1)),
			"cannot be read"),
		of("many.zip", zips(numbered(10_000, "%d.yaml", "")), "more than 1000 manifests"),
		of("entries.zip", zips(numbered(20_001, "%d", "")), "more than 20000 entries"),
		of("slip.zip", zips(one("../a.yaml")), "leads out of it"),
		of("slip-inside.zip", zips(one("x/../../a.yaml")), "leads out of it"),
		of("absolute.zip", zips(one("/etc/a.yaml")), "absolute path"),
		of("drive.zip", zips(one("C:/a.yaml")), "absolute path"),
		of("windows.zip", zips(one(`..\..\a.yaml`)), "backslash"),
		of("share.zip", zips(one(`\\server\share\a.yaml`)), "backslash"),
		of("newline.zip", zips(one("a\nb.yaml")), "cannot be shown"),
		of("escape.zip", zips(one("a\x1b]0;title\a.yaml")), "cannot be shown"),
		of("case.zip", zips([]entry{{name: "a.yaml", text: yaml}, {name: "A.YAML", text: yaml}}), "twice"),
		of("nested.zip", zips(nested(1)), "another archive"),
		of("deep.zip", zips(one(strings.Repeat("a/", 100)+"a.yaml")), "deeper than"),
		of("long.zip", zips(one(strings.Repeat("a", 60_000)+".yaml")), "path of 60005 bytes"),
		of("link.zip", zips([]entry{{name: "a.yaml", text: "/etc/passwd", mode: os.ModeSymlink}}), "a link"),
		of("pipe.zip", zips([]entry{{name: "a.yaml", mode: os.ModeNamedPipe}}), "not a regular file"),
		of("encrypted.zip", zips(one("a.yaml"), central(8, 1)), "encrypted"),
		of("cut.zip", zips(one("a.yaml"), func(d []byte) []byte { return d[:len(d)-8] }), "broken"),
		of("huge.zip", itself(sparse(1<<40)), "larger than 32 MiB"),
		of("nothing.zip", itself(sparse(0)), "neither a zip nor"),
		of("fifo.zip", itself(pipe), "not a regular file"),
		of("device.zip", itself(link("/dev/zero")), "not a regular file"),
		of("socket.zip", itself(socket), "not a regular file"),
		of("other.rar", folderless("Rar!\x1a\x07"), "neither a zip nor"),
		of("gzip.tgz", folderless("\x1f\x8b\x08"), "broken"),
		of("tar-bomb.tgz", tars(tar.Header{Name: "x.bin", Size: 100 << 20, Mode: 0o644}),
			"unpacks to more than 64 MiB"),
		of("tar-link.tgz", tars(tar.Header{Name: "a.yaml", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}),
			"a link"),
		of("tar-hard.tgz", tars(tar.Header{Name: "a.yaml", Linkname: "b.yaml", Typeflag: tar.TypeLink}), "a link"),
		of("tar-device.tgz", tars(tar.Header{Name: "a.yaml", Typeflag: tar.TypeChar}), "not a regular file"),
		{name: "empty.zip", handIn: zips(nil), status: grade.Graded, says: "no manifests"},
	}
}

func folderless(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) { write(t, path, []byte(text)) }
}

// folders are hostile folders, and manifests in them.
func folders() []hostile {
	of := func(name string, make func(*testing.T, string), status grade.Status, says string) hostile {
		return hostile{name: name, handIn: make, status: status, says: says}
	}
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 8), c-1)
	}
	return []hostile{
		of("d-link", special(link("/etc/passwd")), grade.NotGraded, "symbolic link"),
		of("d-loop", special(link("canary.yaml")), grade.NotGraded, "symbolic link"),
		of("d-pipe", special(pipe), grade.NotGraded, "not a regular file"),
		of("d-socket", special(socket), grade.NotGraded, "not a regular file"),
		of("d-sparse", special(sparse(1<<40)), grade.NotGraded, "larger than"),
		of("d-deep", folderWith(strings.Repeat("a/", 100)+"canary.yaml", yaml), grade.NotGraded, "deeper than 8"),
		of("d-elsewhere", itself(link("/etc")), grade.NotGraded, "symbolic link"),
		of("d-files", func(t *testing.T, path string) {
			for i := range 10_000 {
				if i == 0 {
					folderWith("0.yaml", yaml)(t, path)
				} else if err := os.WriteFile(filepath.Join(path, fmt.Sprint(i, ".yaml")), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}, grade.NotGraded, "more than 1000 manifests"),
		of("y-bomb", folderWith("canary.yaml", bomb), grade.Graded, "canary.yaml"),
		of("y-deep", folderWith("canary.yaml", "kind: "+strings.Repeat("[", 100_000)), grade.Graded, "canary.yaml"),
		of("y-documents", folderWith("canary.yaml", strings.Repeat("---\na: b\n", 50_000)), grade.Graded,
			"canary.yaml"),
		of("y-quantity", folderWith("h.yaml", "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n"+
			"  name: web\nspec:\n  minReplicas: 2147483647\n  maxReplicas: 2147483647\n  scaleTargetRef:\n"+
			"    apiVersion: apps/v1\n    kind: Deployment\n    name: web\n  metrics:\n  - type: Pods\n    pods:\n"+
			"      metric: {name: m}\n      target: {type: AverageValue, averageValue: \"1e-2147483648\"}\n"),
			grade.Graded, "h.yaml"),
		of("y-binary", folderWith("canary.yaml", "\x00\xff\xfe\x1b]0;title\a"), grade.Graded, "canary.yaml"),
	}
}

// named are submissions whose content is good and whose name is not.
func named(t *testing.T) []hostile {
	var all []hostile
	good := variant(t, "naive")
	for _, name := range []string{"=HYPERLINK(\"http:x\")", "@SUM(A1)", "-rf", "new\nline", "esc\x1b[2J", "<script>x",
		"nul", "COM1", "bidi\u202e", "$(id)", "--output", strings.Repeat("n", 240)} {
		all = append(all, hostile{name: name, status: grade.Graded,
			handIn: func(t *testing.T, path string) {
				for file, text := range good {
					folderWith(file, text)(t, path)
				}
			}})
	}
	return append(all, hostile{name: "not\xffutf8", handIn: folderWith("canary.yaml", yaml), status: grade.NotGraded,
		says: "is not UTF-8"})
}

// Hostile submissions are refused or contained, each with a reason, and one among them that is good
// has its grade.
func TestHostile(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "grades")
	all := slices.Concat(archives(), folders(), named(t))
	want := map[string]hostile{}
	for _, h := range all {
		h.handIn(t, filepath.Join(dir, h.name))
		want[strings.ToValidUTF8(h.name, "\ufffd")] = h
	}
	g := gradeClass(t, dir, out, func(o *grade.Options) { o.CPUSeconds = 20 })
	if len(g.Learners) != len(all) {
		t.Errorf("%d learners, want %d", len(g.Learners), len(all))
	}
	for _, l := range g.Learners {
		h, ok := want[strings.ToValidUTF8(l.Submission, "\ufffd")]
		if !ok {
			t.Errorf("%q is a stranger", l.Submission)
			continue
		}
		if l.Status != h.status || !strings.Contains(l.Reason(), h.says) {
			t.Errorf("%q is %s: %s; want %s, %q", h.name, l.Status, l.Reason(), h.status, h.says)
		}
	}
	checkTable(t, filepath.Join(out, "grades.csv"))
}

// checkTable checks that a table has no formula and nothing that steers a terminal.
func checkTable(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range slices.Concat(rows...) {
		if strings.HasPrefix(cell, "=") || strings.HasPrefix(cell, "@") || strings.HasPrefix(cell, "-") ||
			strings.ContainsFunc(cell, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Errorf("the table has a cell %q", cell)
		}
	}
}
