// Package theme gives meanings their looks: colours for dark and light terminals of any depth, and signs for terminals
// without Unicode.
//
// Views speak of meanings ([Good], [Canary], [Heat2]), never of colours, so that one place decides how they look. Every
// meaning that matters is also told by a sign or a word: nothing is lost without colours.
package theme

import (
	"fmt"
	"strconv"

	"github.com/charmbracelet/colorprofile"
)

// Style is a tone, a background and attributes, combined by |.
type Style uint16

// Tones of the text.
const (
	Plain   Style = iota
	Muted         // what may be overlooked
	Accent        // what can be acted on
	Good          // went as it should
	Warn          // may go wrong
	Bad           // users are hurt
	Info          // facts of neutral weight
	Canary        // the new version
	Primary       // the old version
	tones         // how many there are
)

// Backgrounds.
const (
	Bar   Style = (iota + 1) << backShift // the bar at the top of a screen
	Row                                   // the row that is selected
	Heat1                                 // shading of a bad share, from slight …
	Heat2
	Heat3 // … to strong
	lastBack
)

// Attributes.
const (
	Bold Style = 1 << (iota + 9)
	Faint
	Reverse
	Underline
)

const (
	backShift = 5
	toneMask  = 1<<backShift - 1
	backMask  = 15 << backShift // the attributes come next
)

// Theme is how styles look on one terminal.
type Theme struct {
	// ASCII is set for terminals without Unicode: views are written in ASCII signs then.
	ASCII bool
	// Dark tells the terminal's background.
	Dark bool
	// Profile is how many colours the terminal has.
	Profile colorprofile.Profile

	fore [toneMask + 1]string
	back [backMask>>backShift + 1]string
}

// New returns the theme of a terminal.
func New(dark bool, p colorprofile.Profile) *Theme {
	t := &Theme{Dark: dark, Profile: p}
	for tone := range t.fore {
		t.fore[tone] = look(palette(tone), dark, p, 38)
	}
	for back := range t.back {
		t.back[back] = look(backgrounds(back), dark, p, 48)
	}
	return t
}

// None is a theme without colours and attributes: text and nothing else.
func None() *Theme { return New(true, colorprofile.NoTTY) }

// InASCII returns the same theme for a terminal without Unicode.
func (t *Theme) InASCII() *Theme {
	c := *t
	c.ASCII = true
	return &c
}

// hue is one colour: for dark and for light terminals as 24 bits, and as the parameter of the 16 colours' sequence. Pale is
// that for light terminals, where it differs: yellow on white cannot be read.
type hue struct {
	dark, light uint32
	basic, pale string
}

func palette(tone int) hue {
	switch Style(tone) {
	case Muted:
		return hue{0x8b93a1, 0x6a7280, "2", ""}
	case Accent:
		return hue{0x7dcfff, 0x0b66a8, "36", ""}
	case Good:
		return hue{0x7ddc8a, 0x1a7f37, "32", ""}
	case Warn:
		return hue{0xf0c674, 0x8f5a00, "33", "35"}
	case Bad:
		return hue{0xff7b86, 0xc01f2f, "31", ""}
	case Info:
		return hue{0xa9b4ff, 0x4a4fc4, "34", ""}
	case Canary:
		return hue{0xffd24a, 0x9a6700, "33", "35"}
	case Primary:
		return hue{0x6cb6ff, 0x0a58ca, "36", ""}
	}
	return hue{}
}

func backgrounds(back int) hue {
	switch Style(back << backShift) {
	case Bar:
		return hue{0x2a3040, 0xdfe5ee, "7", ""}
	case Row:
		return hue{0x31405a, 0xcfe3ff, "7", ""}
	case Heat1:
		return hue{0x4a3a1c, 0xfff0c2, "", ""}
	case Heat2:
		return hue{0x6b3417, 0xffd2a8, "43;30", ""}
	case Heat3:
		return hue{0x7a1f2b, 0xffb3ba, "41;97", ""}
	}
	return hue{}
}

// look writes the parameters of a colour: layer is 38 for text and 48 for backgrounds.
func look(h hue, dark bool, p colorprofile.Profile, layer int) string {
	rgb := h.dark
	if !dark {
		rgb = h.light
	}
	switch {
	case h == hue{} || p <= colorprofile.NoTTY:
		return ""
	case p == colorprofile.ASCII: // attributes alone: a faint text, a reversed bar
		if h.basic == "2" || h.basic == "7" {
			return h.basic
		}
		return ""
	case p == colorprofile.ANSI && !dark && h.pale != "":
		return h.pale
	case p == colorprofile.ANSI:
		return h.basic
	case p == colorprofile.ANSI256:
		return fmt.Sprintf("%d;5;%d", layer, index256(rgb))
	}
	return fmt.Sprintf("%d;2;%d;%d;%d", layer, rgb>>16, rgb>>8&0xff, rgb&0xff)
}

// index256 is the nearest colour of the 6×6×6 cube or of the grey ramp of 256 colours.
func index256(rgb uint32) int {
	c := [3]int{int(rgb >> 16), int(rgb >> 8 & 0xff), int(rgb & 0xff)}
	cube, far := 16, 0
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
		far += (v - value) * (v - value)
	}
	grey := min(23, max(0, ((c[0]+c[1]+c[2])/3-3)/10))
	near := 0
	for _, v := range c {
		near += (v - (8 + 10*grey)) * (v - (8 + 10*grey))
	}
	if near < far {
		return 232 + grey
	}
	return cube
}

// Append writes the sequence that switches a terminal from any style to s.
func (t *Theme) Append(b []byte, s Style) []byte {
	if t.Profile <= colorprofile.NoTTY {
		return b
	}
	b = append(b, "\x1b["...)
	first := len(b)
	add := func(p string) {
		if p == "" {
			return
		}
		if len(b) > first {
			b = append(b, ';')
		}
		b = append(b, p...)
	}
	if s != Plain {
		add("0")
	}
	for i, a := range [...]Style{Bold, Faint, Reverse, Underline} {
		if s&a != 0 {
			add(strconv.Itoa([]int{1, 2, 7, 4}[i]))
		}
	}
	add(t.fore[s&toneMask])
	add(t.back[(s&backMask)>>backShift])
	return append(b, 'm')
}
