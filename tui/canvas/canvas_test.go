package canvas_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// TestDrawingIsClipped draws any texts at any places, in any part, and measures the lines as a
// terminal does.
func TestDrawingIsClipped(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom(
		[]string{"漢字", "e\u0301", "👍🏽", "\x1b[2J", "a\tb\nc", "█▌░", "\u200b", "ｆｕｌｌ", "⠿"}))
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(0, 30).Draw(t, "w"), rapid.IntRange(0, 6).Draw(t, "h")
		th := rapid.SampledFrom([]*theme.Theme{theme.None(), theme.New(true, colorprofile.TrueColor),
			inASCII(theme.New(false, colorprofile.ANSI))}).Draw(t, "theme")
		c := canvas.New(w, h, th)
		place := rapid.IntRange(-10, 40)
		for range rapid.IntRange(0, 12).Draw(t, "draws") {
			a := c.All().Sub(place.Draw(t, "x"), place.Draw(t, "y"), place.Draw(t, "w"), place.Draw(t, "h"))
			x, y, s := place.Draw(t, "at x"), place.Draw(t, "at y"),
				theme.Style(rapid.Uint16Range(0, 1<<10-1).Draw(t, "style"))
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				a.Text(x, y, s, text.Draw(t, "text"))
			case 1:
				a.Right(x, y, s, text.Draw(t, "text"))
			case 2:
				a.Fill(x, y, place.Draw(t, "n"), s, rapid.SampledFrom([]rune{' ', '█', '漢', '─'}).Draw(t, "rune"))
			default:
				a.Rune(x, y, s, rapid.Rune().Draw(t, "rune"))
			}
		}
		checkSize(t, c.String(), w, h, th.ASCII)
	})
}

func inASCII(t *theme.Theme) *theme.Theme {
	t.ASCII = true
	return t
}

func checkSize(t *rapid.T, view string, w, h int, isASCII bool) {
	if h == 0 {
		if view != "" {
			t.Fatalf("%q on no line", view)
		}
		return
	}
	lines := strings.Split(view, "\n")
	if len(lines) != h {
		t.Fatalf("%d lines, want %d", len(lines), h)
	}
	for i, l := range lines {
		if got := ansi.StringWidthWc(l); got != w {
			t.Fatalf("line %d has %d columns, want %d: %q", i, got, w, l)
		}
		bare := ansi.Strip(l)
		if strings.ContainsFunc(bare, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Fatalf("line %d has control characters: %q", i, l)
		}
		if isASCII && utf8.RuneCountInString(bare) != len(bare) {
			t.Fatalf("line %d is not ASCII: %q", i, bare)
		}
	}
}

func TestAreas(t *testing.T) {
	c := canvas.New(12, 4, theme.None())
	top, rest := c.All().Top(1)
	left, right := rest.Left(5)
	body, bottom := right.Bottom(1)
	top.Text(0, 0, theme.Plain, "a title that is cut")
	left.Text(0, 0, theme.Plain, "left side")
	body.Pad(1).Text(0, 1, theme.Plain, "body")
	bottom.Right(7, 0, theme.Plain, "end")
	want := "a title that\nleft\n      body\n         end"
	if got := strings.Join(c.Lines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWideRunesAreNeverSplit(t *testing.T) {
	c := canvas.New(6, 1, theme.None())
	c.All().Text(0, 0, theme.Plain, "漢字漢")
	c.All().Text(1, 0, theme.Plain, "x")
	c.All().Text(4, 0, theme.Plain, "y")
	if got := c.String(); got != " x字y " {
		t.Errorf("%q", got)
	}
	c.All().Text(5, 0, theme.Plain, "漢") // has no place
	if got := c.String(); got != " x字y " {
		t.Errorf("%q", got)
	}
	c.All().Text(0, 0, theme.Plain, "漢字漢")
	c.All().Text(1, 0, theme.Plain, "一") // takes a half of two
	if got := c.String(); got != " 一 漢" {
		t.Errorf("%q", got)
	}
}

func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"short", 5, "short"}, {"longer", 5, "long…"}, {"漢字漢字", 5, "漢字…"}, {"漢字漢字", 4, "漢…"}, {"any", 1, "…"},
		{"any", 0, ""}, {"any", -3, ""}, {"", 0, ""},
	} {
		if got := canvas.Truncate(c.text, c.n); got != c.want {
			t.Errorf("%q truncated to %d is %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestStyles(t *testing.T) {
	for name, want := range map[string]struct {
		theme *theme.Theme
		text  string
	}{
		"none":     {theme.None(), "abc   "},
		"NO_COLOR": {theme.New(true, colorprofile.ASCII), "\x1b[1mab\x1b[mc   "},
		"16":       {theme.New(true, colorprofile.ANSI), "\x1b[31;1mab\x1b[mc   "},
		"256":      {theme.New(true, colorprofile.ANSI256), "\x1b[38;5;210;1mab\x1b[mc   "},
		"24 bits":  {theme.New(true, colorprofile.TrueColor), "\x1b[38;2;255;138;125;1mab\x1b[mc   "},
		"light":    {theme.New(false, colorprofile.TrueColor), "\x1b[38;2;179;38;30;1mab\x1b[mc   "},
	} {
		c := canvas.New(6, 1, want.theme)
		x := c.All().Text(0, 0, theme.Bad|theme.Bold, "ab")
		c.All().Text(x, 0, theme.Plain, "c")
		if got := c.String(); got != want.text {
			t.Errorf("%s: %q, want %q", name, got, want.text)
		}
	}
}

func BenchmarkString(b *testing.B) {
	th := theme.New(true, colorprofile.TrueColor)
	for b.Loop() {
		c := canvas.New(200, 60, th)
		for y := range 60 {
			for x := range 50 {
				c.All().Text(4*x, y, theme.Style(x%9), "ab█ ")
			}
		}
		_ = c.String()
	}
}
