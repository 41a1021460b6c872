package deck

import (
	"charm.land/bubbles/v2/key"

	"coalmine/tui/screen"
)

// keys are the deck's key bindings.
type keys struct {
	pause, faster, slower                   key.Binding
	back, forward, back10, forward10        key.Binding
	home, end, next, previous, markers      key.Binding
	run, runBack, cohort, route, chart, tab key.Binding
	card, up                                key.Binding
}

func newKeys() keys {
	k := screen.Key
	return keys{
		pause: k("space", "pause or play", "space"), faster: k("+", "faster", "+", "=", ">"),
		slower: k("-", "slower", "-", "_", "<"),
		back:   k("←", "1 s back", "left", "h"), forward: k("→", "1 s forward", "right", "l"),
		back10:    k("shift+←", "10 s back", "shift+left", "H", ","),
		forward10: k("shift+→", "10 s forward", "shift+right", "L", "."),
		home:      k("home", "go to the start", "home", "g"), end: k("end", "go to the end", "end", "G"),
		next: k("n ]", "next decision", "n", "]"), previous: k("p [", "previous decision", "p", "["),
		markers: k("m", "list of moments", "m"),
		run:     k("tab", "next run", "tab"), runBack: k("shift+tab", "previous run", "shift+tab"),
		cohort: k("u", "next cohort", "u"), route: k("w", "next route", "w"), chart: k("v", "next chart", "v"),
		tab: k("1 … 5", "choose a view", "1", "2", "3", "4", "5"), card: k("c enter", "open the card", "c", "enter"),
		up: k("esc", "back", "esc"),
	}
}

// Keys implements [screen.Screen].
func (d *Deck) Keys() []screen.Group {
	k := d.keys
	return []screen.Group{
		{Title: "Time", Keys: []key.Binding{k.pause, k.faster, k.slower, k.next, k.previous, k.markers, k.back,
			k.forward, k.back10, k.forward10, k.home, k.end}},
		{Title: "View", Keys: []key.Binding{k.tab, k.cohort, k.route, k.chart}},
		{Title: "Trial", Keys: []key.Binding{k.run, k.runBack, k.card, k.up}},
	}
}
