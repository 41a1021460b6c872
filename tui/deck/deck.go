// Package deck is the screen on which a run is watched: live, paused, at any speed, back and forth.
//
// A deck shows a trial's recordings as they are; it makes no difference to it whether a run is being played, was recorded long
// ago, or is written for a test. Time on the deck is its own: events come as fast as they can, and are played back.
package deck

import (
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/lab/score"
	"coalmine/tui/recording"
	"coalmine/tui/screen"
	"coalmine/tui/watch"
)

// beat is how often a deck that plays moves on. A tenth of a second costs little and looks like motion.
const beat = 100 * time.Millisecond

// Options are how a deck begins.
type Options struct {
	// Run is the index of the run to show first.
	Run int
	// Card makes the screen for the trial's points; nil for none.
	Card func(*watch.Trial) screen.Screen
	// Paused begins without playing.
	Paused bool
}

// Deck is the screen.
type Deck struct {
	trial *watch.Trial
	opts  Options
	keys  keys
	run   int
	clock clock
	// begun is set once the clock was put near the release; touched once the user chose a speed or a time.
	begun, touched bool
	covered        bool
	beating        int       // the number of the ticks that count; others are of an earlier chain
	last           time.Time // of the last tick

	cohort, route string // "" for all
	chart         int    // index of charts
	tab           int    // index of tabs
	width, height int
}

// New returns a deck on a trial.
func New(t *watch.Trial, o Options) *Deck {
	return &Deck{trial: t, opts: o, keys: newKeys(), run: o.Run, clock: clock{speed: 20, playing: !o.Paused}}
}

// Jump asks every deck on a trial to show the moment of an event.
type Jump struct {
	Trial *watch.Trial
	To    score.EventRef
}

// tick is a beat of the deck's clock.
type tick struct {
	of   *Deck
	beat int
	at   time.Time
}

// Name implements [screen.Screen].
func (d *Deck) Name() string { return d.trial.Scenario }

// Init implements [screen.Screen].
func (d *Deck) Init() tea.Cmd {
	d.begin()
	return d.start()
}

// Covered implements [screen.Covered]: a deck that is not seen stands still.
func (d *Deck) Covered(is bool) tea.Cmd {
	d.covered = is
	if is {
		d.beating++
		return nil
	}
	return d.start()
}

// start begins a new chain of ticks where the clock moves.
func (d *Deck) start() tea.Cmd {
	d.beating++
	d.last = time.Time{}
	return d.next()
}

func (d *Deck) next() tea.Cmd {
	if !d.moving() {
		return nil
	}
	n := d.beating
	return tea.Tick(beat, func(at time.Time) tea.Msg { return tick{d, n, at} })
}

// moving tells whether the clock goes on by itself. One that follows the newest event moves with the news.
func (d *Deck) moving() bool {
	if d.covered || d.clock.live || !d.clock.playing {
		return false
	}
	r := d.rec()
	return r == nil || !r.Whole() && !d.trial.Done || d.clock.at < r.End()
}

// rec is the recording that is shown, nil before its first event.
func (d *Deck) rec() *recording.Recording {
	if d.run >= len(d.trial.Runs) {
		return nil
	}
	return d.trial.Runs[d.run].Rec
}

func (d *Deck) end() time.Duration {
	if r := d.rec(); r != nil {
		return r.End()
	}
	return 0
}

// lead is how long before the release a deck begins.
const lead = 15 * time.Second

// begin puts the clock shortly before the release, once that is known: nothing happens to users before it.
func (d *Deck) begin() {
	r := d.rec()
	if d.begun || r == nil {
		return
	}
	if d.clock.live = r.Live(); d.clock.live {
		d.begun = true
		return
	}
	if r.Whole() && !d.touched {
		d.clock.speed = suited(r.End() - r.Timeline().Released.At)
	}
	if released := r.Timeline().Released; released.Seen() || r.Whole() || d.trial.Done {
		d.begun = true
		if released.Seen() && !d.touched {
			d.clock.at = max(0, released.At-lead)
		}
	}
}

// Update implements [screen.Screen].
func (d *Deck) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		d.width, d.height = msg.Width, msg.Height
	case tick:
		return d.beatOn(msg)
	case watch.Batch:
		return d.grown(msg)
	case Jump:
		return d.jump(msg)
	case tea.KeyPressMsg:
		return d.key(msg)
	case tea.MouseClickMsg:
		return d.mouse(msg.Mouse())
	case tea.MouseMotionMsg:
		if msg.Button == tea.MouseLeft {
			return d.mouse(msg.Mouse())
		}
	}
	return nil
}

func (d *Deck) beatOn(t tick) tea.Cmd {
	if t.of != d || t.beat != d.beating {
		return nil
	}
	dt := beat
	if !d.last.IsZero() {
		dt = t.at.Sub(d.last)
	}
	d.last = t.at
	d.Pass(dt)
	return d.next()
}

// Pass lets real time pass on the deck, and tells what it came by of what one must not miss.
func (d *Deck) Pass(dt time.Duration) (passed []string) {
	d.begin()
	if !d.begun {
		return nil
	}
	before := d.clock.at
	d.clock.pass(dt, d.end(), d.stops())
	if r := d.rec(); r != nil {
		for _, e := range r.Story() {
			if worth(e) && e.At > before && e.At <= d.clock.at {
				passed = append(passed, e.Text)
			}
		}
	}
	return passed
}

// Over tells whether the run that is shown was played to its end.
func (d *Deck) Over() bool {
	r := d.rec()
	return r != nil && (r.Whole() || d.trial.Done) && d.clock.at >= r.End()
}

// grown takes news of the trial.
func (d *Deck) grown(b watch.Batch) tea.Cmd {
	if b.Trial != d.trial {
		return nil
	}
	before := d.begun
	d.begin()
	if d.clock.live {
		d.clock.at = d.end()
	}
	if r := d.rec(); r != nil && r.Whole() && !d.touched {
		d.clock.speed = suited(r.End() - r.Timeline().Released.At)
	}
	if d.begun && !before {
		return d.start()
	}
	return nil
}

// jump shows an event of a run, with the clock stopped.
func (d *Deck) jump(j Jump) tea.Cmd {
	i := d.trial.Find(j.To.Run)
	if j.Trial != d.trial || i < 0 || d.trial.Runs[i].Rec == nil {
		return nil
	}
	at, ok := d.trial.Runs[i].Rec.Time(j.To.Seq)
	if !ok {
		return nil
	}
	d.run, d.begun, d.touched = i, true, true
	d.clock.playing = false
	d.clock.seek(at, d.end())
	return nil
}

func (d *Deck) key(msg tea.KeyPressMsg) tea.Cmd {
	k := d.keys
	switch {
	case key.Matches(msg, k.pause):
		return d.pause()
	case key.Matches(msg, k.faster):
		d.touched = true
		d.clock.faster()
	case key.Matches(msg, k.slower):
		d.touched = true
		d.clock.slower()
	case key.Matches(msg, k.markers):
		return screen.Open(newMoments(d))
	case key.Matches(msg, k.card):
		return d.card()
	case key.Matches(msg, k.run):
		return d.turn(1)
	case key.Matches(msg, k.runBack):
		return d.turn(-1)
	default:
		return d.look(msg)
	}
	return nil
}

// pause stops the clock or lets it go on; at the end it begins anew.
func (d *Deck) pause() tea.Cmd {
	d.clock.hold = 0
	if d.clock.live {
		d.clock.live, d.clock.playing = false, false
		return nil
	}
	if d.Over() {
		d.clock.at = max(0, d.rec().Timeline().Released.At-lead)
		d.clock.playing = false
	}
	d.clock.playing = !d.clock.playing
	return d.start()
}

func (d *Deck) card() tea.Cmd {
	if d.opts.Card == nil || d.trial.Card == nil {
		return nil
	}
	return screen.Open(d.opts.Card(d.trial))
}

// look changes what is shown, or the time.
func (d *Deck) look(msg tea.KeyPressMsg) tea.Cmd {
	k := d.keys
	switch {
	case key.Matches(msg, k.tab):
		d.tab = int(msg.String()[0] - '1')
	case key.Matches(msg, k.cohort):
		d.cohort = following(d.cohorts(), d.cohort)
	case key.Matches(msg, k.route):
		d.route = following(d.routes(), d.route)
	case key.Matches(msg, k.chart):
		d.chart = (d.chart + 1) % len(charts())
	default:
		return d.scrub(msg)
	}
	return nil
}

// scrub moves the clock.
func (d *Deck) scrub(msg tea.KeyPressMsg) tea.Cmd {
	k, to := d.keys, d.clock.at
	switch {
	case key.Matches(msg, k.back):
		to -= time.Second
	case key.Matches(msg, k.forth):
		to += time.Second
	case key.Matches(msg, k.farBack):
		to -= 10 * time.Second
	case key.Matches(msg, k.farForth):
		to += 10 * time.Second
	case key.Matches(msg, k.home):
		to = 0
	case key.Matches(msg, k.end):
		to = d.end()
	case key.Matches(msg, k.next):
		return d.step(1)
	case key.Matches(msg, k.previous):
		return d.step(-1)
	default:
		return nil
	}
	cmd := d.seek(to)
	if key.Matches(msg, k.end) && d.growing() {
		d.clock.live = true // the end is where the newest event is
		cmd = d.start()
	}
	return cmd
}

// growing tells whether more events of the run are to come.
func (d *Deck) growing() bool {
	r := d.rec()
	return r != nil && !r.Whole() && !d.trial.Done
}

func (d *Deck) seek(to time.Duration) tea.Cmd {
	d.begun, d.touched = true, true
	d.clock.seek(to, d.end())
	return d.start()
}

// step goes to the next decision or the one before, and stops there.
func (d *Deck) step(by int) tea.Cmd {
	stops := d.stops()
	to := d.end()
	if by < 0 {
		to = 0
	}
	for i := range stops {
		if by > 0 && stops[i] > d.clock.at {
			to = stops[i]
			break
		}
		if by < 0 && stops[i] < d.clock.at {
			to = stops[i]
		}
	}
	d.clock.playing = false
	return d.seek(to)
}

// turn goes to another run of the trial, at the same time since its release.
func (d *Deck) turn(by int) tea.Cmd {
	n := len(d.trial.Runs)
	if n < 2 {
		return nil
	}
	from := d.rec()
	to := d.run
	for range n {
		to = (to + by + n) % n
		if d.trial.Runs[to].Rec != nil {
			break
		}
	}
	d.run = to
	d.clock.live = d.clock.live && d.growing()
	if from != nil && d.rec() != nil {
		since := d.clock.at - from.Timeline().Released.At
		at := d.rec().Timeline().Released.At + since
		d.clock.at, d.clock.hold = min(max(0, at), d.end()), 0
	}
	return d.start()
}

func (d *Deck) mouse(m tea.Mouse) tea.Cmd {
	if m.Y != d.height-2 && m.Y != d.height-3 {
		return nil
	}
	if at, ok := timeAt(m.X, d.width, d.end()); ok {
		return d.seek(at)
	}
	return nil
}

// following is the one after another in a list that begins with all of them, "".
func following(all []string, one string) string {
	for i, s := range all {
		if s == one {
			return all[(i+1)%len(all)]
		}
	}
	return ""
}

// Now is the time of the run that is shown.
func (d *Deck) Now() time.Duration { return d.clock.at }
