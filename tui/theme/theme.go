// Package theme maps meanings to styles: colours for dark and light terminals of any depth, and
// attributes for terminals without colours.
//
// Views use meanings ([Good], [Canary], [Heat2]), never colours, so that one place decides how they
// look. Every meaning that matters also has a symbol or a word: nothing is lost without colours.
package theme

import (
	"image/color"

	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"coalmine/lab/format/palette"
)

// Style is a foreground, a background and [Bold], combined by |.
type Style uint16

// Foregrounds.
const (
	Plain       Style = iota
	Muted             // may be overlooked
	Accent            // can be acted on
	Good              // as it should be
	Warn              // may go wrong
	Bad               // users are hurt
	Info              // neutral facts
	Canary            // the new version
	Primary           // the old version
	Reference         // the run under the scenario's solution
	Unguarded         // the run without guardrails
	foregrounds       // their number
)

// Backgrounds.
const (
	Bar   Style = (iota + 1) << backShift // the bar at the top of a screen
	Row                                   // the selected row
	Heat1                                 // shading of a bad share, from slight …
	Heat2
	Heat3 // … to strong
	lastBack
)

// Bold is an attribute.
const Bold Style = 1 << 9

const (
	backShift = 5
	foreMask  = 1<<backShift - 1
	backMask  = 15 << backShift // Bold comes next
)

// Theme defines how styles look on one terminal.
type Theme struct {
	// ASCII is set for terminals without Unicode: symbols are replaced by ASCII characters.
	ASCII bool
	// Dark is set if the terminal's background is dark.
	Dark bool
	// Profile is the colour depth of the terminal.
	Profile colorprofile.Profile

	fore [foreMask + 1]uv.Style
	back [backMask>>backShift + 1]uv.Style
}

// New returns the theme of a terminal.
func New(dark bool, p colorprofile.Profile) *Theme {
	t := &Theme{Dark: dark, Profile: p}
	for i := range t.fore {
		look := foreground(Style(i))
		t.fore[i] = t.choose(look)
		if p >= colorprofile.ANSI256 {
			t.fore[i].Fg = t.convert(look)
		}
	}
	for i := range t.back {
		look := background(Style(i << backShift))
		t.back[i] = t.choose(look)
		if p >= colorprofile.ANSI256 {
			t.back[i].Bg = t.convert(look)
		}
	}
	return t
}

// None returns a theme without colours and attributes.
func None() *Theme { return New(true, colorprofile.NoTTY) }

// look is how a meaning looks.
type look struct {
	// dark and light are the colours for dark and light backgrounds, as 0xRRGGBB; 0 for none.
	dark, light uint32
	// basic is the style in 16 colours, chosen by hand: the nearest of the 16 colours is often
	// unreadable. Its attributes are used without colours, too.
	basic uv.Style
	// basicLight replaces basic on a light background: yellow on white cannot be read.
	basicLight color.Color
}

func foreground(s Style) look {
	switch s {
	case Muted:
		return look{0x8b93a1, 0x6a7280, uv.Style{Attrs: uv.AttrFaint}, nil}
	case Accent:
		return look{0x7dcfff, 0x0b66a8, uv.Style{Fg: ansi.Cyan}, nil}
	case Good:
		return meaning(palette.Good(), ansi.Green, nil)
	case Warn:
		return meaning(palette.Warn(), ansi.Yellow, ansi.Magenta)
	case Bad:
		return meaning(palette.Bad(), ansi.Red, nil)
	case Info:
		return look{0xa9b4ff, 0x4a4fc4, uv.Style{Fg: ansi.Blue}, nil}
	case Canary:
		return meaning(palette.Canary(), ansi.Magenta, ansi.BrightMagenta)
	case Primary:
		return meaning(palette.Primary(), ansi.Cyan, nil)
	case Reference:
		return meaning(palette.Reference(), ansi.Blue, nil)
	case Unguarded:
		return meaning(palette.Unguarded(), nil, nil)
	}
	return look{}
}

// meaning is the look of a colour that all views share.
func meaning(c palette.Color, basic, basicLight color.Color) look {
	return look{c.Dark, c.Light, uv.Style{Fg: basic}, basicLight}
}

func background(s Style) look {
	switch s {
	case Bar:
		return look{0x2a3040, 0xdfe5ee, uv.Style{Attrs: uv.AttrReverse}, nil}
	case Row:
		return look{0x31405a, 0xcfe3ff, uv.Style{Attrs: uv.AttrReverse}, nil}
	case Heat1:
		return look{0x4a3a1c, 0xfff0c2, uv.Style{}, nil}
	case Heat2:
		return look{0x6b3417, 0xffd2a8, uv.Style{Fg: ansi.Black, Bg: ansi.Yellow}, nil}
	case Heat3:
		return look{0x7a1f2b, 0xffb3ba, uv.Style{Fg: ansi.BrightWhite, Bg: ansi.Red}, nil}
	}
	return look{}
}

// choose returns the style of a look on terminals of at most 16 colours.
func (t *Theme) choose(l look) uv.Style {
	switch {
	case t.Profile == colorprofile.ASCII:
		return uv.Style{Attrs: l.basic.Attrs}
	case t.Profile != colorprofile.ANSI:
		return uv.Style{}
	case !t.Dark && l.basicLight != nil:
		return uv.Style{Fg: l.basicLight}
	}
	return l.basic
}

// convert returns the colour of a look on terminals of more than 16 colours.
func (t *Theme) convert(l look) color.Color {
	rgb := l.dark
	if !t.Dark {
		rgb = l.light
	}
	if rgb == 0 {
		return nil
	}
	if t.Profile == colorprofile.ANSI256 {
		return ansi.IndexedColor(index256(rgb))
	}
	return color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 0xff}
}

// index256 returns the nearest colour of the 6×6×6 cube or of the grey ramp of 256 colours, by its
// distance in RGB. colorprofile weighs the hue instead, which turns a dark slate grey into teal.
func index256(rgb uint32) int {
	c := [3]int{int(rgb >> 16), int(rgb >> 8 & 0xff), int(rgb & 0xff)}
	cube, cubeDistance := 16, 0
	for i, v := range c {
		level := 0
		if v >= 48 {
			level = min(5, max(1, (v-35)/40))
		}
		cube += level * []int{36, 6, 1}[i]
		value := 0
		if level > 0 {
			value = 55 + 40*level
		}
		cubeDistance += (v - value) * (v - value)
	}
	grey := min(23, max(0, ((c[0]+c[1]+c[2])/3-3)/10))
	greyDistance := 0
	for _, v := range c {
		greyDistance += (v - (8 + 10*grey)) * (v - (8 + 10*grey))
	}
	if greyDistance < cubeDistance {
		return 232 + grey
	}
	return cube
}

// Style returns how a style looks.
func (t *Theme) Style(s Style) uv.Style {
	look, back := t.fore[s&foreMask], t.back[(s&backMask)>>backShift]
	if t.Profile <= colorprofile.NoTTY {
		return look
	}
	look.Attrs |= back.Attrs
	if look.Bg = back.Bg; back.Fg != nil {
		look.Fg = back.Fg
	}
	if s&Bold != 0 {
		look.Attrs |= uv.AttrBold
	}
	return look
}
