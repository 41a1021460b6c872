package html_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	xhtml "golang.org/x/net/html"
	"pgregory.net/rapid"

	"coalmine/lab/format/palette"
	"coalmine/lab/report/html"
	"coalmine/lab/report/model"
	"coalmine/lab/report/reporttest"
)

func page(t testing.TB, d *model.Trial) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := html.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// elements parses a page as browsers do and lists its elements in order.
func elements(t testing.TB, page []byte) []*xhtml.Node {
	t.Helper()
	root, err := xhtml.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*xhtml.Node
	for n := range root.Descendants() {
		if n.Type == xhtml.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attribute(n *xhtml.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *xhtml.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == xhtml.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func trials() map[string]*model.Trial {
	return map[string]*model.Trial{
		"missed": reporttest.Missed(), "caught": reporttest.Caught(), "false alarm": reporttest.FalseAlarm(),
		"single": reporttest.Single(),
		"cut":    reporttest.Cut(), "empty": reporttest.Trial(),
		"hostile": reporttest.Hostile(`"><script>alert(1)</script><img src=x onerror=alert(2)>`),
	}
}

var styles = regexp.MustCompile(`^width: [0-9.]+%$`)

// TestPageIsSelfContained: no script, nothing that is fetched, no link out of the page.
func TestPageIsSelfContained(t *testing.T) {
	for name, d := range trials() {
		t.Run(name, func(t *testing.T) {
			checkInert(t, elements(t, page(t, d)))
		})
	}
}

// inert are the elements of a page.
var inert = strings.Fields(`html head meta title style body header nav main section aside h1 h2 h3 p ul ol li dl dt dd div span strong q a
	table caption thead tbody tr th td figure figcaption details summary code svg g line path circle rect text desc`)

func checkInert(t interface{ Fatalf(string, ...any) }, all []*xhtml.Node) {
	for _, n := range all {
		if !slices.Contains(inert, n.Data) {
			t.Fatalf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "srcdoc", a.Key == "xlink:href",
				a.Key == "action":
				t.Fatalf("<%s> has an attribute %s", n.Data, a.Key)
			case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
				t.Fatalf("<%s> leads to %q", n.Data, a.Val)
			case a.Key == "style" && !styles.MatchString(a.Val):
				t.Fatalf("<%s> has the style %q", n.Data, a.Val)
			case a.Key == "http-equiv" && a.Val != "Content-Security-Policy":
				t.Fatalf("there is a meta %q", a.Val)
			}
		}
	}
}

// TestForeignTextStaysText: foreign text makes no element, attribute, link or rule of style, and
// does not turn the direction of other text.
func TestForeignTextStaysText(t *testing.T) {
	shape := func(t testing.TB, d *model.Trial) string {
		var b strings.Builder
		for _, n := range elements(t, page(t, d)) {
			b.WriteString(n.Data)
			for _, a := range n.Attr {
				b.WriteString(" " + a.Key)
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	want := shape(t, reporttest.Hostile("xplain words"))
	hostile := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		`</style><script>alert(1)</script>`, `"><svg onload=alert(1)>`, `' onmouseover='alert(1)`,
		`</title><base href=//evil>`, `-->`, `]]>`,
		`{{.Style}}`, "\u202e", "\x00", `javascript:alert(1)`, `</svg></code></td></table>`, `&lt;script&gt;`,
		`<!--`, "a\u2028b",
	}))
	rapid.Check(t, func(r *rapid.T) {
		evil := "x" + strings.ReplaceAll(hostile.Draw(r, "text"), "/", "") // a file's name has none
		all := elements(t, page(t, reporttest.Hostile(evil)))
		checkInert(r, all)
		for _, n := range all {
			if i := strings.IndexFunc(text(n), turns); i >= 0 {
				r.Fatalf("%q turns the text around it", text(n)[i:])
			}
		}
		// more lines of a manifest are more elements, and text that is not YAML has no notes
		oneLine := strings.Map(func(r rune) rune {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || !utf8.ValidRune(r) || r >= 0xfffe {
				return -1
			}
			return r
		}, evil)
		if got := shape(t, reporttest.Hostile(oneLine)); got != want {
			r.Fatalf("the page has another shape with %q: %s", oneLine, firstDifference(want, got))
		}
	})
}

func turns(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' || r == '\u200f'
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("element %d is %q, was %q", i, y[i], x[i])
		}
	}
	return fmt.Sprintf("%d elements, were %d", len(y), len(x))
}

func TestEveryLinkHasATarget(t *testing.T) {
	for name, d := range trials() {
		all := elements(t, page(t, d))
		ids := map[string]bool{}
		for _, n := range all {
			if id := attribute(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: the id %q stands twice", name, id)
				}
				ids[id] = true
			}
		}
		for _, n := range all {
			if href := attribute(n, "href"); n.Data == "a" && !ids[strings.TrimPrefix(href, "#")] {
				t.Errorf("%s: %q leads nowhere", name, href)
			}
			for id := range strings.FieldsSeq(attribute(n, "aria-labelledby")) {
				if !ids[id] {
					t.Errorf("%s: nothing has the id %q that names a <%s>", name, id, n.Data)
				}
			}
		}
	}
}

// TestScreenReader checks what a screen reader goes by: one title, headings without gaps, tables
// with captions and headers, charts with a name and a description.
func TestScreenReader(t *testing.T) {
	for name, d := range trials() {
		all := elements(t, page(t, d))
		last, titles := 0, 0
		for _, n := range all {
			switch n.Data {
			case "h1", "h2", "h3":
				level := int(n.Data[1] - '0')
				if level > last+1 {
					t.Errorf("%s: <%s> %q comes after a heading of level %d", name, n.Data, text(n), last)
				}
				last = level
				if level == 1 {
					titles++
				}
			case "table":
				if count(n, "caption") != 1 || count(n, "th") == 0 {
					t.Errorf("%s: a table has %d captions and %d headers", name, count(n, "caption"), count(n, "th"))
				}
			case "th":
				if s := attribute(n, "scope"); s != "col" && s != "row" {
					t.Errorf("%s: the header %q is for no column or row", name, text(n))
				}
			case "svg":
				if attribute(n, "role") == "img" && (count(n, "desc") != 1 || count(n, "title") == 0) {
					t.Errorf("%s: a chart has no name or description", name)
				}
			}
		}
		if titles != 1 {
			t.Errorf("%s: there are %d titles", name, titles)
		}
	}
}

func count(n *xhtml.Node, name string) int {
	k := 0
	for d := range n.Descendants() {
		if d.Type == xhtml.ElementNode && d.Data == name {
			k++
		}
	}
	return k
}

// TestHintsAreFolded: only those who open a hint read it.
func TestHintsAreFolded(t *testing.T) {
	d := reporttest.Missed()
	found := 0
	for _, n := range elements(t, page(t, d)) {
		if !strings.Contains(ownText(n), "the average hides a fifth") {
			continue
		}
		found++
		in := n
		for in != nil && in.Data != "details" {
			in = in.Parent
		}
		if in == nil || attribute(in, "class") != "hint" || slices.ContainsFunc(in.Attr, func(a xhtml.Attribute) bool {
			return a.Key == "open"
		}) {
			t.Error("a hint stands open")
		}
	}
	if found != 1 {
		t.Errorf("the hint stands %d times", found)
	}
}

func ownText(n *xhtml.Node) string {
	s := ""
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == xhtml.TextNode {
			s += c.Data
		}
	}
	return s
}

// TestContrast checks WCAG 2.2's contrast of text (success criterion 1.4.3: 4.5 to 1) and of
// graphics (1.4.11: 3 to 1) for the light, the dark and the printed page.
func TestContrast(t *testing.T) {
	data, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	palettes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(data), -1)
	if len(palettes) != 3 {
		t.Fatalf("there are %d palettes, want light, dark and print", len(palettes))
	}
	for i, p := range palettes {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{3,6});`).FindAllStringSubmatch(p[1], -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, pair := range strings.Fields("ink/paper ink/panel soft/paper soft/panel good/paper warn/paper " +
			"bad/paper good/good-bg warn/warn-bg bad/bad-bg ink/good-bg ink/warn-bg ink/bad-bg soft/good-bg " +
			"soft/warn-bg soft/bad-bg link/paper") {
			checkContrast(t, i, colours, pair, 4.5)
		}
		for _, pair := range strings.Fields("canary/paper primary/paper best/paper none/paper") {
			checkContrast(t, i, colours, pair, 3)
		}
	}
}

// A colour means the same in every view.
func TestColorsAreThePalette(t *testing.T) {
	data, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	palettes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(data), -1)
	for _, c := range palette.All() {
		for i, want := range []uint32{c.Light, c.Dark} {
			if line := fmt.Sprintf("--%s: #%06x;", c.Name, want); !strings.Contains(palettes[i][1], line) {
				t.Errorf("palette %d of the style sheet lacks %s", i, line)
			}
		}
	}
}

func checkContrast(t *testing.T, number int, colours map[string]float64, pair string, least float64) {
	t.Helper()
	front, back, _ := strings.Cut(pair, "/")
	a, ok1 := colours[front]
	b, ok2 := colours[back]
	if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); !ok1 || !ok2 || ratio < least {
		t.Errorf("palette %d: %s has a contrast of %.2f, want %.1f", number, pair, ratio, least)
	}
}

// luminance is WCAG's relative luminance of a colour.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = strings.Repeat(hex[:1], 2) + strings.Repeat(hex[1:2], 2) + strings.Repeat(hex[2:], 2)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
