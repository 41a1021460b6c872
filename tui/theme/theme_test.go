package theme

import (
	"testing"

	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"
)

// rgb256 returns one of the 256 colours: of the cube or the ramp (xterm's 256colres.h).
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

// TestNearestColour compares with all colours.
func TestNearestColour(t *testing.T) {
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

// TestWithoutColours: NO_COLOR leaves bold, faint and reverse, and a terminal without colours and
// attributes gets none.
func TestWithoutColours(t *testing.T) {
	for s := range Style(1 << 10) {
		if s&foreMask >= foregrounds || s&backMask >= lastBack {
			continue
		}
		if got := New(true, colorprofile.ASCII).Style(s); got.Fg != nil || got.Bg != nil {
			t.Fatalf("style %x has the colours %v and %v", s, got.Fg, got.Bg)
		}
		if got := None().Style(s); !got.IsZero() {
			t.Fatalf("style %x is %+v", s, got)
		}
	}
}

// TestStylesDiffer: two meanings side by side must not look the same where there are colours.
func TestStylesDiffer(t *testing.T) {
	for _, dark := range []bool{true, false} {
		for _, p := range []colorprofile.Profile{colorprofile.ANSI, colorprofile.ANSI256, colorprofile.TrueColor} {
			th := New(dark, p)
			for _, pair := range [][2]Style{
				{Good, Bad}, {Good, Warn}, {Bad, Warn}, {Canary, Primary}, {Plain, Muted}, {Plain, Bad},
				{Heat2, Heat3}, {Plain, Row},
			} {
				if a, b := th.Style(pair[0]), th.Style(pair[1]); a.Equal(&b) {
					t.Errorf("dark %v, %v: %x and %x are both %+v", dark, p, pair[0], pair[1], a)
				}
			}
		}
	}
}
