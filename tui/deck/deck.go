// Package deck is the screen that plays back a run: live, paused, at any speed, in both directions.
//
// A deck shows a trial's recordings, whether they are being played, were recorded earlier, or were
// written for a test. It has its own clock: events arrive as fast as they can, and are then played
// back.
package deck

import (
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/lab/verdict/score"
	"coalmine/tui/liverun"
	"coalmine/tui/recording"
	"coalmine/tui/screen"
)

// tickInterval is how often a playing deck moves. A tenth of a second is cheap and looks smooth.
const tickInterval = 100 * time.Millisecond

// Options configure a deck.
type Options struct {
	// Run is the index of the run to show first.
	Run int
	// Card returns the screen for the trial's card; nil for none.
	Card func(*liverun.Trial) screen.Screen
	// Paused starts the deck paused.
	Paused bool
	// Hold returns where the first run stops for something else, nil if nowhere; it may be nil.
	Hold func(*recording.Recording) *Hold
}

// Deck is the screen.
type Deck struct {
	trial *liverun.Trial
	opts  Options
	keys  keys
	run   int
	clock clock
	// positioned is set once the clock was placed near the release; userSet once the user chose a
	// speed or a time.
	positioned, userSet bool
	covered             bool
	holding             bool      // what a hold opens is not on top yet
	generation          int       // of the current chain of ticks; ticks of earlier chains are ignored
	last                time.Time // of the last tick

	cohort, route string // "" for all
	chart         int    // index of charts
	tab           int    // index of tabs
	width, height int
}

// New returns a deck for a trial.
func New(t *liverun.Trial, o Options) *Deck {
	return &Deck{trial: t, opts: o, keys: newKeys(), run: o.Run, clock: clock{speed: 20, playing: !o.Paused}}
}

// Jump makes every deck of a trial show the moment of an event.
type Jump struct {
	Trial *liverun.Trial
	To    score.EventRef
}

// tick is one step of the deck's clock.
type tick struct {
	deck       *Deck
	generation int
	at         time.Time
}

// Name implements [screen.Screen].
func (d *Deck) Name() string { return d.trial.Scenario }

// Init implements [screen.Screen].
func (d *Deck) Init() tea.Cmd {
	d.position()
	return d.startTicks()
}

// Covered implements [screen.Covered]: a covered deck does not play.
func (d *Deck) Covered(is bool) tea.Cmd {
	d.covered, d.holding = is, false
	if is {
		d.generation++
		return nil
	}
	return d.startTicks()
}

// startTicks starts a new chain of ticks if the clock is moving.
func (d *Deck) startTicks() tea.Cmd {
	d.generation++
	d.last = time.Time{}
	return d.next()
}

func (d *Deck) next() tea.Cmd {
	if !d.moving() {
		return nil
	}
	n := d.generation
	return tea.Tick(tickInterval, func(at time.Time) tea.Msg { return tick{d, n, at} })
}

// moving reports whether ticks move the clock. A clock in live mode moves with each batch instead.
func (d *Deck) moving() bool {
	if d.covered || d.clock.live || !d.clock.playing {
		return false
	}
	r := d.rec()
	return r == nil || !r.Complete() && !d.trial.Done || d.clock.at < r.End()
}

// rec returns the recording that is shown, or nil before its first event.
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

// leadIn is how long before the release a deck starts: nothing happens to users earlier.
const leadIn = 15 * time.Second

// position places the clock shortly before the release, once that is known.
func (d *Deck) position() {
	r := d.rec()
	if d.positioned || r == nil {
		return
	}
	if d.clock.live = r.Live(); d.clock.live {
		d.positioned = true
		return
	}
	if r.Complete() && !d.userSet {
		d.clock.speed = fittingSpeed(r.End() - r.Timeline().Released.At)
	}
	if released := r.Timeline().Released; released.Happened() || r.Complete() || d.trial.Done {
		d.positioned = true
		if released.Happened() && !d.userSet {
			d.clock.at = max(0, released.At-leadIn)
		}
	}
}

// Update implements [screen.Screen].
func (d *Deck) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		d.width, d.height = msg.Width, msg.Height
	case tick:
		return d.onTick(msg)
	case liverun.Batch:
		return d.onBatch(msg)
	case Jump:
		return d.jump(msg)
	case Resume:
		return d.resume(msg)
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

func (d *Deck) onTick(t tick) tea.Cmd {
	if t.deck != d || t.generation != d.generation {
		return nil
	}
	dt := tickInterval
	if !d.last.IsZero() {
		dt = t.at.Sub(d.last)
	}
	d.last = t.at
	d.Advance(dt)
	if cmd := d.held(false); cmd != nil {
		return cmd
	}
	return d.next()
}

// Advance lets real time pass on the deck, and returns the key moments that it passed.
func (d *Deck) Advance(dt time.Duration) (passed []string) {
	d.position()
	if !d.positioned {
		return nil
	}
	before := d.clock.at
	d.clock.advance(dt, d.end(), d.keyMoments())
	if r := d.rec(); r != nil {
		for _, e := range r.Narrative() {
			if isKeyMoment(e) && e.At > before && e.At <= d.clock.at {
				passed = append(passed, e.Text)
			}
		}
	}
	return passed
}

// AtEnd reports whether the run was played to its end.
func (d *Deck) AtEnd() bool {
	r := d.rec()
	return r != nil && (r.Complete() || d.trial.Done) && d.clock.at >= r.End()
}

// onBatch handles new events of the trial.
func (d *Deck) onBatch(b liverun.Batch) tea.Cmd {
	if b.Trial != d.trial {
		return nil
	}
	before := d.positioned
	d.position()
	if d.clock.live {
		d.clock.at = d.end()
		if cmd := d.held(false); cmd != nil {
			return cmd
		}
	}
	if r := d.rec(); r != nil && r.Complete() && !d.userSet {
		d.clock.speed = fittingSpeed(r.End() - r.Timeline().Released.At)
	}
	if d.positioned && !before {
		return d.startTicks()
	}
	return nil
}

// jump shows an event of a run, paused.
func (d *Deck) jump(j Jump) tea.Cmd {
	i := d.trial.RunIndex(j.To.Run)
	if j.Trial != d.trial || i < 0 || d.trial.Runs[i].Rec == nil {
		return nil
	}
	at, ok := d.trial.Runs[i].Rec.Time(j.To.Seq)
	if !ok {
		return nil
	}
	d.run, d.positioned, d.userSet = i, true, true
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
		d.userSet = true
		d.clock.faster()
	case key.Matches(msg, k.slower):
		d.userSet = true
		d.clock.slower()
	case key.Matches(msg, k.markers):
		return screen.Open(newMoments(d))
	case key.Matches(msg, k.card):
		return d.card()
	case key.Matches(msg, k.up):
		return screen.Leave
	case key.Matches(msg, k.run):
		return d.switchRun(1)
	case key.Matches(msg, k.runBack):
		return d.switchRun(-1)
	default:
		return d.viewKey(msg)
	}
	return nil
}

// pause pauses or resumes the clock; at the end it starts again.
func (d *Deck) pause() tea.Cmd {
	d.clock.hold = 0
	if d.clock.live {
		d.clock.live, d.clock.playing = false, false
		return nil
	}
	if d.AtEnd() {
		d.clock.at = max(0, d.rec().Timeline().Released.At-leadIn)
		d.clock.playing = false
	}
	d.clock.playing = !d.clock.playing
	return d.startTicks()
}

func (d *Deck) card() tea.Cmd {
	if d.opts.Card == nil || d.trial.Card == nil {
		return nil
	}
	if cmd := d.held(true); cmd != nil {
		return cmd
	}
	return screen.Open(d.opts.Card(d.trial))
}

// viewKey handles the keys that change what is shown.
func (d *Deck) viewKey(msg tea.KeyPressMsg) tea.Cmd {
	k := d.keys
	switch {
	case key.Matches(msg, k.tab):
		d.tab = int(msg.String()[0] - '1')
	case key.Matches(msg, k.cohort):
		d.cohort = nextIn(d.cohorts(), d.cohort)
	case key.Matches(msg, k.route):
		d.route = nextIn(d.routes(), d.route)
	case key.Matches(msg, k.chart):
		d.chart = (d.chart + 1) % len(charts())
	default:
		return d.timeKey(msg)
	}
	return nil
}

// timeKey handles the keys that move the clock.
func (d *Deck) timeKey(msg tea.KeyPressMsg) tea.Cmd {
	k, to := d.keys, d.clock.at
	switch {
	case key.Matches(msg, k.back):
		to -= time.Second
	case key.Matches(msg, k.forward):
		to += time.Second
	case key.Matches(msg, k.back10):
		to -= 10 * time.Second
	case key.Matches(msg, k.forward10):
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
		d.clock.live = true // the end is the newest event
		cmd = d.startTicks()
	}
	return cmd
}

// growing reports whether the run goes on.
func (d *Deck) growing() bool {
	r := d.rec()
	return r != nil && !r.Complete() && !d.trial.Done
}

func (d *Deck) seek(to time.Duration) tea.Cmd {
	d.positioned, d.userSet = true, true
	d.clock.seek(to, d.end())
	if cmd := d.held(false); cmd != nil {
		return cmd
	}
	return d.startTicks()
}

// step seeks to the next decision, or the previous one if by < 0, and pauses.
func (d *Deck) step(by int) tea.Cmd {
	stops := d.keyMoments()
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

// switchRun shows another run of the trial, at the same time since its release.
func (d *Deck) switchRun(by int) tea.Cmd {
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
	return d.startTicks()
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

// nextIn returns the entry after one in all, cyclically; "" if there is none.
func nextIn(all []string, one string) string {
	for i, s := range all {
		if s == one {
			return all[(i+1)%len(all)]
		}
	}
	return ""
}

// Now returns the time that is shown.
func (d *Deck) Now() time.Duration { return d.clock.at }
