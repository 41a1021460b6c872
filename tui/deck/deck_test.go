package deck

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/series"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
	"coalmine/tui/liveruntest"
	"coalmine/tui/recording"
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
		t.Errorf("%s differs (-want +got); if it should, run go test ./tui/deck -update:\n%s", path, diff)
	}
}

// render draws a deck without colours.
func render(d interface{ Draw(canvas.Area) }, w, h int) string {
	c := canvas.New(w, h, theme.None())
	d.Draw(c.All())
	return strings.Join(c.Lines(), "\n") + "\n"
}

// at returns a paused deck at a time.
func at(t *liverun.Trial, run int, when time.Duration) *Deck {
	d := New(t, Options{Run: run, Paused: true})
	d.Init()
	d.seek(when)
	return d
}

func press(d *Deck, keys ...string) {
	for _, k := range keys {
		d.Update(keyOf(k))
	}
}

// keyOf returns the key press of a name.
func keyOf(name string) tea.KeyPressMsg {
	special := map[string]tea.KeyPressMsg{
		"space": {Code: tea.KeySpace, Text: " "}, "tab": {Code: tea.KeyTab}, "enter": {Code: tea.KeyEnter},
		"home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "up": {Code: tea.KeyUp},
		"down": {Code: tea.KeyDown}, "esc": {Code: tea.KeyEscape},
		"shift+left": {Code: tea.KeyLeft, Mod: tea.ModShift}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
	}
	if k, ok := special[name]; ok {
		return k
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// TestViews compares the deck at the moments that matter with golden files.
func TestViews(t *testing.T) {
	caught, missed := liveruntest.Caught(), liveruntest.Missed()
	held := 142 * time.Second
	for name, d := range map[string]*Deck{
		"before":   at(caught, 0, 72*time.Second),
		"held":     at(caught, 0, held),
		"over":     at(caught, 0, time.Hour),
		"promoted": at(missed, 0, time.Hour),
		"healthy":  at(caught, 1, 150*time.Second),
		"none":     at(caught, 2, 100*time.Second),
	} {
		golden(t, name+"-80x24.txt", render(d, 80, 24))
	}
	for _, size := range [][2]int{{120, 40}, {200, 60}, {97, 31}} {
		golden(t, fmt.Sprintf("held-%dx%d.txt", size[0], size[1]), render(at(caught, 0, held), size[0], size[1]))
	}
	for tab, name := range tabs() {
		d := at(caught, 0, held)
		press(d, fmt.Sprint(tab+1), "u", "u", "v")
		golden(t, "tab-"+name+".txt", render(d, 80, 24))
	}
}

func TestViewInASCII(t *testing.T) {
	th := theme.None()
	th.ASCII = true
	c := canvas.New(80, 24, th)
	at(liveruntest.Caught(), 0, 142*time.Second).Draw(c.All())
	golden(t, "ascii.txt", c.String()+"\n")
}

func TestMoments(t *testing.T) {
	d := at(liveruntest.Caught(), 0, 142*time.Second)
	m := newMoments(d)
	golden(t, "moments.txt", render(m, 80, 24))
	m.Update(keyOf("up"))
	m.Update(keyOf("enter"))
	if want := m.entries[m.at].At; d.clock.at != want || d.clock.playing || want >= 142*time.Second {
		t.Errorf("the deck is at %v, want %v", d.clock.at, want)
	}
}

// TestBrokenLog: the readable part is shown, with the line at which it ends.
func TestBrokenLog(t *testing.T) {
	tr := liveruntest.Caught()
	tr.Runs[0].Rec = recording.FromEvents(script.RolledBack(1).Events()[:150])
	tr.Runs[0].Status, tr.Runs[0].Problem = liverun.Failed,
		"runs/faulty-seed1/events.jsonl: line 151: sequence number 153 where 151 was due: lines are missing "+
			"or were moved"
	golden(t, "broken.txt", render(at(tr, 0, time.Hour), 80, 24))
}

func TestBeforeAnyEvent(t *testing.T) {
	d := New(&liverun.Trial{Scenario: "s", Runs: []*liverun.Run{{Name: "faulty-seed1", Role: score.RoleFaulty}}},
		Options{})
	d.Init()
	if got := render(d, 80, 24); !strings.Contains(got, "waiting for the first event") {
		t.Errorf("the view is\n%s", got)
	}
	for _, k := range []string{"space", "n", "p", "tab", "m", "u", "w", "v", "home", "end", "left", "c",
		"3", "+", "-"} {
		press(d, k)
	}
	d.Advance(time.Second)
	empty := New(&liverun.Trial{Scenario: "s", Done: true, Problem: "the disk is full"}, Options{})
	press(empty, "space", "n", "tab", "end")
	if got := render(empty, 80, 24); !strings.Contains(got, "the disk is full") {
		t.Errorf("the view is\n%s", got)
	}
}

func TestStepping(t *testing.T) {
	d := at(liveruntest.Caught(), 0, 0)
	var seen []string
	for range 20 {
		before := d.clock.at
		press(d, "n")
		if d.clock.at == before {
			break
		}
		seen = append(seen, fmt.Sprint(d.clock.at.Seconds()))
	}
	want := "70 80 85 86 115 135 155 175 195 255"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("n stops at %s, want %s", got, want)
	}
	press(d, "p", "p")
	if got := d.clock.at.Seconds(); got != 175 {
		t.Errorf("two steps back lead to %v", got)
	}
	press(d, "left", "shift+left")
	if got := d.clock.at.Seconds(); got != 164 {
		t.Errorf("scrubbing back leads to %v", got)
	}
	press(d, "end", "right", "L")
	if got := d.clock.at; got != d.end() {
		t.Errorf("beyond the end it is %v", got)
	}
	press(d, "home", "left")
	if d.clock.at != 0 {
		t.Errorf("before the start it is %v", d.clock.at)
	}
}

func TestSwitchRunKeepsTheTimeSinceTheRelease(t *testing.T) {
	d := at(liveruntest.Caught(), 0, 100*time.Second) // released at 70 s
	press(d, "tab", "tab")
	if d.run != 2 || d.clock.at != 90*time.Second { // released at 60 s: nothing had to be set up
		t.Errorf("run %d at %v, want the unguarded one at 90 s", d.run, d.clock.at)
	}
	press(d, "shift+tab", "shift+tab")
	if d.run != 0 || d.clock.at != 100*time.Second {
		t.Errorf("run %d at %v, want the first one at 100 s", d.run, d.clock.at)
	}
	press(d, "shift+tab")
	if d.run != 3 {
		t.Errorf("before the first is run %d, want the last", d.run)
	}
}

func TestJump(t *testing.T) {
	tr := liveruntest.Caught()
	d := at(tr, 1, 0)
	d.clock.playing = true
	ref := tr.Card.Items[0].Events[0]
	d.Update(Jump{Trial: tr, To: ref})
	want, _ := tr.Runs[tr.RunIndex(ref.Run)].Rec.Time(ref.Seq)
	if d.run != tr.RunIndex(ref.Run) || d.clock.at != want || d.clock.playing {
		t.Errorf("run %d at %v, want %s at %v, paused", d.run, d.clock.at, ref.Run, want)
	}
	for _, nowhere := range []Jump{{tr, score.EventRef{Run: "none", Seq: 1}},
		{tr, score.EventRef{Run: ref.Run, Seq: 1e6}}, {liveruntest.Caught(), ref}} {
		d.seek(33 * time.Second)
		d.Update(nowhere)
		if d.clock.at != 33*time.Second {
			t.Errorf("%v led to %v", nowhere.To, d.clock.at)
		}
	}
}

// TestRunPlaysInHalfAMinute plays a run as the window does.
func TestRunPlaysInHalfAMinute(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Traffic(60)
	for w := 10; w <= 50; w += 10 {
		s.Canary(event.PhaseProgressing, w, 0).Traffic(60)
	}
	s.Canary(event.PhaseFailed, 0, 0).Traffic(6 * 60).Complete() // 12 minutes after the release
	d := New(liveruntest.New(map[score.Role]*script.Script{score.RoleFaulty: s}), Options{})
	d.Init()
	var took time.Duration
	var passed []string
	for ; !d.AtEnd() && took < time.Hour; took += tickInterval {
		passed = append(passed, d.Advance(tickInterval)...)
	}
	if took < 18*time.Second || took > 32*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := strings.Join(passed, "; "); !strings.HasPrefix(got, "released checkout v2; analysis started") ||
		!strings.Contains(got, "rolled back") {
		t.Errorf("it passed %s", got)
	}
	if d.moving() {
		t.Error("the clock still moves at the end")
	}
	press(d, "space")
	if d.clock.at != 55*time.Second || !d.clock.playing {
		t.Errorf("replay starts at %v", d.clock.at)
	}
}

// TestGrowingRun: a deck follows new events, starts before the release once that is known, and
// waits at the newest event.
func TestGrowingRun(t *testing.T) {
	events := script.RolledBack(1).Events()
	tr := &liverun.Trial{Scenario: "s", Runs: []*liverun.Run{{Name: "faulty-seed1", Role: score.RoleFaulty}}}
	feed := liverun.NewFeed(tr)
	d := New(tr, Options{})
	d.Init()
	news := func(from, to int) {
		for _, e := range events[from:to] {
			feed.Event(0, e)
		}
		b := feed.Next()
		b.Apply()
		d.Update(b)
	}
	news(0, 30)
	d.Advance(time.Second)
	if d.positioned || d.clock.at != 0 {
		t.Errorf("before the release the clock is at %v", d.clock.at)
	}
	news(30, 80)
	if !d.positioned || d.clock.at != 55*time.Second {
		t.Errorf("the clock starts at %v, want 15 s before the release", d.clock.at)
	}
	for range 100 {
		d.Advance(tickInterval)
	}
	if d.clock.at != events[79].At || d.AtEnd() || !d.moving() {
		t.Errorf("the clock is at %v of %v", d.clock.at, events[79].At)
	}
	press(d, "end")
	news(80, 120)
	d.Advance(tickInterval)
	if d.clock.at != events[119].At || d.clock.label() != "live" {
		t.Errorf("at the end of what was there the clock is at %v (%s), want it to follow", d.clock.at, d.clock.label())
	}
	press(d, "left")
	news(120, len(events))
	for range 1000 {
		d.Advance(tickInterval)
	}
	if !d.AtEnd() {
		t.Errorf("the clock is at %v of %v", d.clock.at, d.end())
	}
}

// TestLiveRun: a run on a real cluster is shown live until the user seeks back.
func TestLiveRun(t *testing.T) {
	events := script.RolledBack(1).Events()
	start := events[0].Fact.(event.RunStarted)
	start.Cluster = "kind"
	events[0].Fact = start
	tr := &liverun.Trial{Scenario: "s", Runs: []*liverun.Run{
		{Name: "faulty-seed1", Role: score.RoleFaulty},
		{Name: "healthy-seed1", Role: score.RoleHealthy,
			Rec: recording.FromEvents(script.Promoted("healthy", 1).Events())},
	}}
	feed := liverun.NewFeed(tr)
	d := New(tr, Options{})
	d.Init()
	at := func(label string, want time.Duration, from, to int) {
		t.Helper()
		for _, e := range events[from:to] {
			feed.Event(0, e)
		}
		b := feed.Next()
		b.Apply()
		d.Update(b)
		if d.clock.at != want || d.clock.label() != label {
			t.Errorf("after %d events it is at %v (%s), want %v (%s)", to, d.clock.at, d.clock.label(), want, label)
		}
	}
	at("live", events[99].At, 0, 100)
	at("live", events[119].At, 100, 120)
	if d.moving() {
		t.Error("a clock that follows the news also goes on by itself")
	}
	press(d, "left")
	back := events[119].At - time.Second
	at("×20", back, 120, 140)
	press(d, "end")
	at("live", events[159].At, 140, 160)
	press(d, "tab") // a run that has ended does not jump to its end
	was := d.clock.at
	at("×20", was, 160, 170)
}

// TestRateOfUnfinishedInterval: a rate covers the time that has passed, not the whole interval.
func TestRateOfUnfinishedInterval(t *testing.T) {
	r := liveruntest.Caught().Runs[2].Rec // a hundred requests a second on one side
	for _, at := range []time.Duration{100 * time.Second, 101 * time.Second, 109 * time.Second} {
		all := points(r, series.Selection{}, at, 0, 200*time.Second, 20, rate)
		for _, p := range all {
			if p.Value != 100 {
				t.Errorf("at %v the stretch from %v to %v has a rate of %v", at, p.From, p.To, p.Value)
			}
		}
		if last := all[len(all)-1]; last.To != at {
			t.Errorf("at %v the line ends at %v", at, last.To)
		}
	}
}

func TestMouse(t *testing.T) {
	d := at(liveruntest.Caught(), 0, 0)
	d.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	d.Update(tea.MouseClickMsg{X: 7 + 65, Y: 22, Button: tea.MouseLeft})
	if d.clock.at != d.end() {
		t.Errorf("a click at the right end leads to %v", d.clock.at)
	}
	d.Update(tea.MouseMotionMsg{X: 7, Y: 21, Button: tea.MouseLeft})
	if d.clock.at != 0 {
		t.Errorf("dragging to the left end leads to %v", d.clock.at)
	}
	d.Update(tea.MouseClickMsg{X: 40, Y: 5, Button: tea.MouseLeft})
	d.Update(tea.MouseClickMsg{X: 2, Y: 22, Button: tea.MouseLeft})
	if d.clock.at != 0 {
		t.Errorf("a click outside the time line leads to %v", d.clock.at)
	}
}

func BenchmarkDraw(b *testing.B) {
	d := at(liveruntest.Caught(), 0, 142*time.Second)
	c := canvas.New(200, 60, theme.None())
	b.ReportAllocs()
	for b.Loop() {
		d.Draw(c.All())
	}
}
