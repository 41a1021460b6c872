// Package palette lists what colours mean. Every view takes them from here: the terminal interface,
// the text reports and the HTML page. A symbol or a word always says the same, so that nothing is
// lost without colours.
package palette

// Color is one meaning and how it looks.
type Color struct {
	// Name is that of the style sheet's variable; Meaning is for people.
	Name, Meaning string
	// Dark and Light are 0xRRGGBB for dark and light backgrounds.
	Dark, Light uint32
	// ANSI is the code of a text report on a terminal, "" for the terminal's own colour.
	ANSI string
}

// Good is what is as it should be: a signal that noticed, a rollback, points.
func Good() Color {
	return Color{"good", "as it should be", 0x6fcf8e, 0x14713c, "32"}
}

// Warn is what may go wrong: failed checks, gates that refuse, bounds, waits, items in part.
func Warn() Color {
	return Color{"warn", "a check that failed, a gate that said no, a bound, a wait", 0xe6b455, 0x8a5a00, "33"}
}

// Bad is harm to users, and guardrails that let it happen or raised a false alarm.
func Bad() Color {
	return Color{"bad", "users are hurt, or guardrails failed at their task", 0xff8a7d, 0xb3261e, "31"}
}

// Canary is the released version and its share of the traffic.
func Canary() Color {
	return Color{"canary", "the new version", 0xf5964a, 0xc2570c, "35"}
}

// Primary is the version before it.
func Primary() Color {
	return Color{"primary", "the old version", 0x6fb1ef, 0x2a6fb5, "36"}
}

// Reference is the run under the scenario's own solution.
func Reference() Color {
	return Color{"best", "the reference", 0x5ccfc4, 0x0b7a75, "34"}
}

// Unguarded is the run without guardrails.
func Unguarded() Color {
	return Color{"none", "without guardrails, and an ideal alarm in a lighter shade", 0xa39d96, 0x77716b, ""}
}

// All lists the colours.
func All() []Color {
	return []Color{Good(), Warn(), Bad(), Canary(), Primary(), Reference(), Unguarded()}
}
