package report

// paint colours text with plain ANSI codes, or leaves it as it is.
type paint bool

// style is the meaning that a colour carries. A symbol or a word carries it too, so that nothing is
// lost without colours.
type style string

// Styles. Those with a colour are in package palette, too, which says what they mean.
const (
	plain     style = ""
	bold      style = "1"
	faint     style = "2"
	good      style = "32"
	warn      style = "33"
	bad       style = "31"
	canary    style = "35"
	reference style = "34"
	accent    style = "36" // can be acted on
)

func (p paint) in(t style, s string) string {
	if !bool(p) || t == plain || s == "" {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[0m"
}
