package accesslog_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/loadgen/accesslog"
)

// line returns a valid line of the common log format, s seconds after noon.
func line(s int, path string) string {
	at := noon.Add(time.Duration(s) * time.Second)
	return fmt.Sprintf(`192.0.2.%d - - [%s] "GET %s HTTP/1.1" 200 5`, s%250,
		at.Format("02/Jan/2006:15:04:05 -0700"), path)
}

func pack(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBrokenLinesAreCountedAndNeverFatal(t *testing.T) {
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, "%s\r\n\n", line(i, "/"))
		if i%2 == 0 {
			fmt.Fprintf(&text, "broken \x1b[31m%d..%s\n", i+100, strings.Repeat("ä", 200))
		}
	}
	log, err := accesslog.Read(strings.NewReader(text.String()), "")
	if err != nil || len(log.Lines) != 20 || log.Broken.Count != 10 || len(log.Broken.First) != 5 {
		t.Fatalf("%d lines, broken %+v, error %v", len(log.Lines), log.Broken, err)
	}
	if log.Lines[1].Number != 4 || log.Broken.First[1].Number != 8 {
		t.Errorf("the second lines have the numbers %d and %d, want 4 and 8", log.Lines[1].Number,
			log.Broken.First[1].Number)
	}
	for _, b := range log.Broken.First {
		if !utf8.ValidString(b.Text) || !strings.HasPrefix(b.Text, "broken ") || !strings.HasSuffix(b.Text, "ä…") {
			t.Errorf("a broken line is kept as %q", b.Text)
		}
	}
	said := log.Broken.String()
	if !strings.HasPrefix(said, "10 lines of the log could not be parsed\nline 3: ") ||
		!strings.HasSuffix(said, "\nand 5 more") {
		t.Errorf("broken lines are reported as %q", said)
	}
	if strings.Contains(said, "\x1b") || len(said) > 2000 || !strings.Contains(said, "ä") {
		t.Errorf("broken lines are not fit for a terminal: %q", said)
	}
	if none := (accesslog.Broken{}).String(); none != "" {
		t.Errorf("no broken line is reported as %q", none)
	}
}

// A log whose end was written during a crash contains zero bytes.
func TestZeroBytesBreakOnlyTheirLine(t *testing.T) {
	log, err := accesslog.Read(strings.NewReader(strings.Repeat("\x00", 100)+"\n"+line(1, "/")), "")
	if err != nil || len(log.Lines) != 1 || log.Broken.Count != 1 {
		t.Errorf("%d lines, %d broken ones, error %v", len(log.Lines), log.Broken.Count, err)
	}
}

func TestLinesAreOrderedByTime(t *testing.T) {
	text := strings.Join([]string{line(5, "/c"), line(3, "/a"), line(5, "/d"), line(3, "/b")}, "\n")
	log, err := accesslog.Read(strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, l := range log.Lines {
		order = append(order, fmt.Sprint(l.Number, l.Target))
	}
	if want := []string{"2/a", "4/b", "1/c", "3/d"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

func TestCompressedLogs(t *testing.T) {
	text := strings.Repeat(line(1, "/a")+"\n"+line(2, "/b")+"\nbroken\n", 1000)
	want, err := accesslog.Read(strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	twoMembers := slices.Concat(pack(t, text[:777]), pack(t, text[777:]))
	for name, in := range map[string]io.Reader{
		"packed":          bytes.NewReader(pack(t, text)),
		"in two parts":    bytes.NewReader(twoMembers),
		"byte by byte":    iotest.OneByteReader(strings.NewReader(text)),
		"after a mark":    strings.NewReader("\ufeff" + text),
		"mark and packed": bytes.NewReader(pack(t, "\ufeff"+text)),
	} {
		got, err := accesslog.Read(in, "")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, the log differs: %.500s", name, err, diff)
		}
	}
}

// endless is a log without end.
type endless struct{ text string }

func (e endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		n += copy(b[n:], e.text)
	}
	return n, nil
}

func TestReadRejects(t *testing.T) {
	good := line(1, "/") + "\n"
	packed := pack(t, strings.Repeat(good, 10_000))
	for name, test := range map[string]struct {
		in     io.Reader
		reader accesslog.Reader
		want   string
	}{
		"nothing":        {in: strings.NewReader(""), want: "the log is empty"},
		"blank lines":    {in: strings.NewReader("\n \r\n\t\n"), want: "the log is empty"},
		"packed nothing": {in: bytes.NewReader(pack(t, "")), want: "the log is empty"},
		"an unknown format": {in: strings.NewReader(good), reader: accesslog.Reader{Format: "clf"},
			want: `unknown log format "clf": write common, combined, json`},
		"only broken lines": {in: strings.NewReader("a\nb\n"),
			want: `no line of the log can be parsed; line 1: is not in a known format: "a"`},
		"another format": {in: strings.NewReader(good), reader: accesslog.Reader{Format: "json"},
			want: "line 1: is not a JSON object"},
		"binary":            {in: strings.NewReader("\x7fELF\x02\x01\x01\x00\x00"), want: "the log is not text"},
		"UTF-16":            {in: strings.NewReader("\xff\xfe1\x009\x002\x00"), want: "the log is not text"},
		"zstd":              {in: strings.NewReader("\x28\xb5\x2f\xfd\x04"), want: "compressed with zstd"},
		"xz":                {in: strings.NewReader("\xfd7zXZ\x00"), want: "compressed with xz"},
		"bzip2":             {in: strings.NewReader("BZh91AY"), want: "compressed with bzip2"},
		"zip":               {in: strings.NewReader("PK\x03\x04"), want: "compressed with zip"},
		"packed twice":      {in: bytes.NewReader(pack(t, string(packed))), want: "compressed with gzip twice"},
		"a broken packing":  {in: strings.NewReader("\x1f\x8b\x00\x00"), want: "cannot decompress"},
		"a cut-off packing": {in: bytes.NewReader(packed[:len(packed)/2]), want: "cannot read the log after line "},
		"a read error": {in: iotest.ErrReader(errors.New("the disk is gone")),
			want: "cannot read the log: the disk is gone"},
		"a later read error": {in: io.MultiReader(endless50(good), iotest.ErrReader(errors.New("gone"))),
			want: "cannot read the log after line "},
		"too many lines": {in: endless{good}, reader: accesslog.Reader{MaxLines: 1000},
			want: "longer than 1000 lines or 1024 MiB of text: use a part"},
		"too many blanks": {in: endless{"\n"}, reader: accesslog.Reader{MaxLines: 1000},
			want: "longer than 1000 lines"},
		"too much text": {in: endless{good}, reader: accesslog.Reader{MaxBytes: 1 << 20},
			want: "or 1 MiB of text"},
		"an endless line": {in: endless{"x"}, reader: accesslog.Reader{MaxBytes: 1 << 20}, want: "or 1 MiB of text"},
		"a bomb": {in: bytes.NewReader(pack(t, strings.Repeat(" ", 4<<20))),
			reader: accesslog.Reader{MaxBytes: 1 << 20}, want: "or 1 MiB of text"},
	} {
		log, err := test.reader.Read(test.in)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
		if len(log.Lines) > 0 {
			t.Errorf("%s: %d lines came with the error", name, len(log.Lines))
		}
	}
}

func endless50(text string) io.Reader { return strings.NewReader(strings.Repeat(text, 5000)) }

func TestLimitsAreExact(t *testing.T) {
	text := line(1, "/a") + "\n\n" + line(2, "/b") + "\n"
	if _, err := (accesslog.Reader{MaxLines: 3, MaxBytes: int64(len(text))}).Read(strings.NewReader(text)); err != nil {
		t.Errorf("a log of as many lines and bytes as may be: %v", err)
	}
	for _, r := range []accesslog.Reader{{MaxLines: 2}, {MaxBytes: int64(len(text)) - 1}} {
		if _, err := r.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%+v: a longer log is read", r)
		}
	}
}

// TestLongLines puts lines around the limit between valid ones, which must not be affected.
func TestLongLines(t *testing.T) {
	for _, length := range []int{65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 200_000} {
		path := "/" + strings.Repeat("x", length-len(line(1, "/")))
		for _, end := range []string{"", "\n", "\n" + line(2, "/")} {
			log, err := accesslog.Read(strings.NewReader(line(0, "/first")+"\n"+line(1, path)+end), "")
			if err != nil {
				t.Fatal(err)
			}
			if log.Broken.Count > 0 && !strings.HasPrefix(log.Broken.First[0].Text, line(1, "/")[:48]) {
				t.Errorf("a long line is kept as %q", log.Broken.First[0].Text)
			}
			good := 1
			if length+1 <= 65_536 {
				good++
			}
			if strings.HasSuffix(end, "5") {
				good++
			}
			if len(log.Lines) != good || len(log.Lines)+log.Broken.Count != strings.Count("\n"+end, "\n")+
				1-btoi(end == "\n") {
				t.Errorf("a line of %d bytes before %.2q: %d good lines, want %d, and %d broken", length, end,
					len(log.Lines), good, log.Broken.Count)
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestFormattedLinesAreParsed formats any line in the combined format and as JSON and parses it.
func TestFormattedLinesAreParsed(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab\"\\ \t{}[]:,é�-%x0")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		want := accesslog.Line{
			Number: 1,
			At:     noon.Add(time.Duration(rapid.IntRange(-1e9, 1e9).Draw(t, "second")) * time.Second),
			Client: rapid.SampledFrom([]string{"", "192.0.2.1", "2001:db8::1", "host.example"}).Draw(t, "client"),
			Method: rapid.SampledFrom([]string{"GET", "POST", "M-SEARCH"}).Draw(t, "method"),
			Target: "/" + rapid.StringMatching(`[a-z/]{0,5}(%[0-9a-f]{2})?(\?[a-z%="]{0,5})?`).Draw(t, "target"),
			Status: rapid.IntRange(100, 599).Draw(t, "status"), Bytes: rapid.Int64Range(0, 1e12).Draw(t, "bytes"),
			Referer: text.Draw(t, "referer"), UserAgent: text.Draw(t, "agent"),
		}
		for _, s := range []*string{&want.Referer, &want.UserAgent} {
			if *s == "-" {
				*s = ""
			}
		}
		for format, written := range map[string]string{accesslog.FormatCombined: combined(want),
			accesslog.FormatJSON: asJSON(want)} {
			got, err := accesslog.Read(strings.NewReader(written), "")
			if diff := cmp.Diff([]accesslog.Line{want}, got.Lines); err != nil || diff != "" || got.Format != format {
				t.Fatalf("%s: error %v, format %s (-want +got):\n%s", written, err, got.Format, diff)
			}
		}
	})
}

// combined formats a line like nginx.
func combined(l accesslog.Line) string {
	text := func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				fmt.Fprintf(&b, `\x%02X`, c)
			} else {
				b.WriteByte(c)
			}
		}
		if b.Len() == 0 {
			return "-"
		}
		return b.String()
	}
	return fmt.Sprintf(`%s - %s [%s] "%s %s HTTP/1.1" %d %d "%s" "%s"`, text(l.Client), text(l.User),
		l.At.Format("02/Jan/2006:15:04:05 -0700"),
		l.Method, text(l.Target), l.Status, l.Bytes, text(l.Referer), text(l.UserAgent))
}
