package markdown

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

func lines(all []Line) string {
	var b strings.Builder
	for _, l := range all {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

func TestRender(t *testing.T) {
	text := "# A *title*\nRight below, with `code` and **strong words**, and [a page](https://example.org).\n\n\n" +
		"1. first\n   goes on here and is long enough\n2. second\n\n- one\n- two: 25 % of all\n\n```\n" +
		"code   stays,  \n  # as it is\n```\n"
	want := "A title\n\nRight below, with code and\nstrong words, and a page\n(https://example.org).\n\n" +
		"1. first goes on here and is\n   long enough\n2. second\n\n• one\n• two: 25 % of all\n\n  code   stays,\n" +
		"    # as it is\n"
	if got := lines(Render(text, 28)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStyles(t *testing.T) {
	got := Render("a `b` **c**", 40)[0]
	want := Line{{theme.Plain, "a "}, {theme.Info, "b"}, {theme.Plain, " "}, {theme.Bold, "c"}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("span %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestTable(t *testing.T) {
	text := "| metric | what it measures |\n|---|---|\n| `success-rate` | answers below 500, of all that were given " +
		"|\n| p99 | 99 % of answers are faster |\n"
	for width, want := range map[int]string{
		80: "metric        what it measures\n────────────  ─────────────────────────────────────────\n" +
			"success-rate  answers below 500, of all that were given\np99           99 % of answers are faster\n",
		32: "metric        what it measures\n────────────  ──────────────────\n" +
			"success-rate  answers below 500,\n              of all that were\n              given\n" +
			"p99           99 % of answers\n              are faster\n",
		12: "metric\nwhat it\nmeasures\n\nsuccess-rate\nanswers\nbelow 500,\nof all that\nwere given\n\np99\n" +
			"99 % of\nanswers are\nfaster\n",
	} {
		if got := lines(Render(text, width)); got != want {
			t.Errorf("%d columns: got\n%s\nwant\n%s", width, got, want)
		}
	}
}

func TestLongCodeKeepsItsIndentation(t *testing.T) {
	text := "- item\n\n  ```yaml\n  metrics:\n    - name: success-rate   # of the premium segment\n  ```\n\n" +
		"> quoted \\*words\\* &amp; more\n"
	want := "• item\n\n    metrics:\n      - name: success-rate\n          # of the premium\n          segment\n\n" +
		"│ quoted *words* & more\n"
	if got := lines(Render(text, 30)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRenderLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching("[a-zé漢`*#|-]{1,30}"), 1, 40).Draw(t, "words")
		text := strings.Join(words, rapid.SampledFrom([]string{" ", "\n", "\n\n", "\n- ", "\n    "}).Draw(t, "between"))
		width := rapid.IntRange(8, 60).Draw(t, "width")
		all := Render(text, width)
		for _, l := range all {
			if w := canvas.Width(l.String()); w > width {
				t.Fatalf("%q has %d columns of %d", l, w, width)
			}
		}
		letters := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r == 'é' || r == '漢' {
					return r
				}
				return -1
			}, s)
		}
		if got := letters(lines(all)); !strings.Contains(text, "```") && got != letters(text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
