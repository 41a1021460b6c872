package theme

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"
)

// rgb256 is a colour of the 256: the cube or the ramp (xterm's 256colres.h).
func rgb256(n int) [3]int {
	if n >= 232 {
		v := 8 + 10*(n-232)
		return [3]int{v, v, v}
	}
	level := func(l int) int {
		if l == 0 {
			return 0
		}
		return 55 + 40*l
	}
	n -= 16
	return [3]int{level(n / 36), level(n / 6 % 6), level(n % 6)}
}

func distance(a, b [3]int) int {
	d := 0
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
	}
	return d
}

// TestTheNearestColour searches all colours for a nearer one.
func TestTheNearestColour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rgb := rapid.Uint32Range(0, 0xffffff).Draw(t, "rgb")
		want := [3]int{int(rgb >> 16), int(rgb >> 8 & 0xff), int(rgb & 0xff)}
		got := index256(rgb)
		for n := 16; n < 256; n++ {
			if distance(rgb256(n), want) < distance(rgb256(got), want) {
				t.Fatalf("%06x became %d %v, but %d %v is nearer", rgb, got, rgb256(got), n, rgb256(n))
			}
		}
	})
}

// TestWithoutColours: NO_COLOR leaves bold and faint, and a terminal without anything gets nothing.
func TestWithoutColours(t *testing.T) {
	attributes := regexp.MustCompile(`^\x1b\[(0|[1247])?(;[01247])*m$`)
	for s := range Style(1 << 13) {
		if s&toneMask >= tones || s&backMask >= lastBack {
			continue
		}
		if got := New(true, colorprofile.ASCII).Append(nil, s); !attributes.Match(got) {
			t.Fatalf("style %x is written as %q", s, got)
		}
		if got := None().Append(nil, s); len(got) > 0 {
			t.Fatalf("style %x is written as %q", s, got)
		}
	}
}

// TestTonesDiffer: two meanings that stand side by side must not look the same where there are colours.
func TestTonesDiffer(t *testing.T) {
	for _, dark := range []bool{true, false} {
		for _, p := range []colorprofile.Profile{colorprofile.ANSI, colorprofile.ANSI256, colorprofile.TrueColor} {
			look := New(dark, p)
			for _, pair := range [][2]Style{{Good, Bad}, {Good, Warn}, {Bad, Warn}, {Canary, Primary}, {Plain, Muted}, {Plain, Bad}, {Heat2, Heat3}, {Plain, Row}} {
				if a, b := fmt.Sprintf("%q", look.Append(nil, pair[0])), fmt.Sprintf("%q", look.Append(nil, pair[1])); a == b {
					t.Errorf("dark %v, %v: %x and %x are both %s", dark, p, pair[0], pair[1], a)
				}
			}
		}
	}
}
