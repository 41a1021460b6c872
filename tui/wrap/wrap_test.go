package wrap

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"coalmine/tui/canvas"
)

func TestTextLosesNothing(t *testing.T) {
	text := rapid.OneOf(rapid.StringN(0, 80, -1), rapid.StringMatching(`([a-z]{1,9} |[0-9]{1,3} |% |漢字 ){0,20}`))
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		width := rapid.IntRange(2, 40).Draw(t, "width")
		bare := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == ' ' || r == '\n' {
					return -1
				}
				return r
			}, s)
		}
		lines := Text(s, width)
		for _, l := range lines {
			if canvas.Width(l) > width {
				t.Fatalf("%q has %d columns, want at most %d", l, canvas.Width(l), width)
			}
		}
		visible := strings.ContainsFunc(s, func(r rune) bool { return canvas.RuneWidth(r) > 0 && r != ' ' })
		if got := bare(strings.Join(lines, "")); visible && strings.IndexFunc(s, unicode.IsControl) < 0 &&
			got != bare(s) {
			t.Fatalf("%q became %q", s, lines)
		}
	})
}

func TestTextKeepsNumbersWithTheirUnits(t *testing.T) {
	got := strings.Join(Text("held at 25 % of the traffic, 12 480 requests after 49 s, and so on", 10), "|")
	if want := "held at|25 % of|the|traffic,|12 480|requests|after|49 s, and|so on"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestTextBreaksLongWordsBetweenTheirParts(t *testing.T) {
	const name = "backend.develop.serviceaccount.identity.linkerd.cluster.local"
	for width, want := range map[int]string{
		59: "the name|backend.develop.serviceaccount.identity.linkerd.cluster.|local",
		32: "the name|backend.develop.serviceaccount.|identity.linkerd.cluster.local",
	} {
		if got := strings.Join(Text("the name "+name, width), "|"); got != want {
			t.Errorf("with %d columns it is %q, want %q", width, got, want)
		}
	}
	if got := strings.Join(Text("a./bbbbbbbbbbbbbbbb", 8), "|"); got != "a./bbbbb|bbbbbbbb|bbb" {
		t.Errorf("a mark at the start of a word leaves a short line: %q", got)
	}
}
