package report

import (
	"testing"

	"coalmine/lab/format/palette"
)

// A colour means the same in every view.
func TestStylesAreThePalette(t *testing.T) {
	for want, c := range map[style]palette.Color{good: palette.Good(), warn: palette.Warn(), bad: palette.Bad(),
		canary: palette.Canary(), reference: palette.Reference(), plain: palette.Unguarded()} {
		if style(c.ANSI) != want {
			t.Errorf("%s is %q in a text report, %q in the palette", c.Name, want, c.ANSI)
		}
	}
}
