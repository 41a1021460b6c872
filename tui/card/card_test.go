package card

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
	"coalmine/tui/liveruntest"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./tui/card -update:\n%s", path, diff)
	}
}

func render(c *Card, w, h int) string {
	on := canvas.New(w, h, theme.None())
	c.Draw(on.All())
	return strings.Join(on.Lines(), "\n") + "\n"
}

func keyOf(name string) tea.KeyPressMsg {
	codes := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "home": tea.KeyHome, "end": tea.KeyEnd}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func press(c *Card, keys ...string) tea.Cmd {
	var cmd tea.Cmd
	for _, k := range keys {
		cmd = c.Update(keyOf(k))
	}
	return cmd
}

func TestViews(t *testing.T) {
	for name, tr := range map[string]*liverun.Trial{"passed": liveruntest.Caught(), "missed": liveruntest.Missed()} {
		c := New(tr, Options{})
		golden(t, name+"-80x24.txt", render(c, 80, 24))
		golden(t, name+"-200x60.txt", render(c, 200, 60))
		press(c, "down", "down", "b")
		golden(t, name+"-better-120x40.txt", render(c, 120, 40))
		press(c, "b", "end")
		golden(t, name+"-last-80x24.txt", render(c, 80, 24))
	}
}

// TestMesh shows what the mesh did, in the run that shows most or in the selected one, without the
// columns that have nothing to say.
func TestMesh(t *testing.T) {
	tr := liveruntest.Missed()
	row := func(weight, retried, ejected int) score.MeshRow {
		return score.MeshRow{Weight: weight, MeshEffect: event.MeshEffect{Service: "checkout", Workload: "canary",
			Version: "v2", Attempts: 1500, Retried: retried, Ejected: ejected}}
	}
	for i := range tr.Card.Runs {
		tr.Card.Runs[i].Mesh = []score.MeshRow{row(5, 12, 0), row(10, 500, 0)}
	}
	last := &tr.Card.Runs[len(tr.Card.Runs)-1]
	last.Mesh = []score.MeshRow{row(50, 9, 4)}
	c := New(tr, Options{})
	golden(t, "mesh-80x60.txt", render(c, 80, 60))
	press(c, "end")
	if got := render(c, 80, 60); !strings.Contains(got, "Ejected") || !strings.Contains(got, "50 %") {
		t.Errorf("the last run is selected, and the view is\n%s", got)
	}
}

// TestOpensAtItsTop has a terminal in which the first item does not fit below the verdict.
func TestOpensAtItsTop(t *testing.T) {
	const verdict = "INCIDENT MISSED"
	c := New(liveruntest.Missed(), Options{})
	if got := render(c, 80, 12); !strings.Contains(got, verdict) {
		t.Errorf("the card does not open with its verdict:\n%s", got)
	}
	press(c, "right")
	if got := render(c, 80, 12); strings.Contains(got, verdict) || !strings.Contains(got, "(2 of ") {
		t.Errorf("a key does not show the selected item:\n%s", got)
	}
}

func TestEnterJumpsToTheEvent(t *testing.T) {
	tr := liveruntest.Missed()
	var asked []score.EventRef
	c := New(tr, Options{Jump: func(e score.EventRef) tea.Cmd {
		asked = append(asked, e)
		return screen.Close
	}})
	item, ok := c.Item()
	if !ok || item.ID != "caught" || len(item.Events) < 2 {
		t.Fatalf("the first item is %+v", item)
	}
	press(c, "enter", "right", "enter", "right", "enter", "left", "enter")
	want := []score.EventRef{item.Events[0], item.Events[1], item.Events[0], item.Events[1]}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the events differ:\n%s", diff)
	}
	press(c, "end")
	if _, ok := c.Item(); ok {
		t.Error("a run is an item")
	}
	asked = nil
	press(c, "enter")
	if len(asked) != 1 || asked[0].Run != "healthy-seed1" {
		t.Errorf("the last run leads to %v", asked)
	}
}

func TestOptions(t *testing.T) {
	done := 0
	c := New(liveruntest.Missed(), Options{
		Actions: []Action{{Key: screen.Key("e", "edit", "e"), Do: func(*Card) tea.Cmd { done++; return nil }}},
		Below:   func(i score.Item) []string { return []string{"hint: " + i.Hint} },
	})
	press(c, "e")
	if done != 1 {
		t.Errorf("the action was done %d times", done)
	}
	if got := render(c, 80, 24); !strings.Contains(got, "hint: Add a metric for the premium cohort") ||
		!strings.Contains(got, "e edit") {
		t.Errorf("the view is\n%s", got)
	}
}

func TestRandomKeys(t *testing.T) {
	trials := []*liverun.Trial{liveruntest.Caught(), liveruntest.Missed(), {Card: &score.Card{}}}
	names := []string{"up", "down", "left", "right", "home", "end", "enter", "b", "j", "k", "x"}
	rapid.Check(t, func(t *rapid.T) {
		c := New(rapid.SampledFrom(trials).Draw(t, "trial"), Options{})
		for range rapid.IntRange(0, 30).Draw(t, "keys") {
			press(c, rapid.SampledFrom(names).Draw(t, "key"))
			render(c, rapid.IntRange(0, 130).Draw(t, "w"), rapid.IntRange(0, 40).Draw(t, "h"))
		}
	})
}
