package report

// paint colours text with plain ANSI codes, or leaves it as it is.
type paint bool

// tone is the meaning that a colour carries. Every tone is also told by a sign or a word, so that nothing is lost without.
type tone string

const (
	plain tone = ""
	bold  tone = "1"
	faint tone = "2"
	good  tone = "32"
	warn  tone = "33"
	bad   tone = "31"
	blue  tone = "36"
)

func (p paint) in(t tone, s string) string {
	if !bool(p) || t == plain || s == "" {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[0m"
}
