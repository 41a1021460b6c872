package tui

import (
	"context"
	"errors"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// Terminal is where the window is shown.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	// Env is the environment in the form of os.Environ.
	Env []string
}

// ErrInterrupted is returned by [Run] when the user quits with ctrl+c.
var ErrInterrupted = errors.New("interrupted")

// Run shows a screen until the user leaves it or ctx ends, and starts cmds with it. It restores the
// terminal in every case.
func Run(ctx context.Context, t Terminal, first screen.Screen, cmds ...tea.Cmd) error {
	th := theme.New(true, colorprofile.TrueColor)
	th.ASCII = !supportsUnicode(t.Env)
	opts := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithEnvironment(t.Env),
		tea.WithoutSignalHandler(), // ctx ends on signals
	}
	if lookupEnv(t.Env, "NO_COLOR") != "" { // whatever its value, see no-color.org
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
		th = theme.New(true, colorprofile.ASCII)
		th.ASCII = !supportsUnicode(t.Env)
	}
	_, err := tea.NewProgram(NewWindow(first, th, cmds...), opts...).Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrInterrupted):
		return ErrInterrupted
	}
	return err
}

// supportsUnicode reports whether the environment's character set is UTF-8, by the first of the
// variables that is set (POSIX, locale). The Linux console has UTF-8 but no braille characters for
// charts.
func supportsUnicode(env []string) bool {
	if lookupEnv(env, "TERM") == "linux" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(lookupEnv(env, name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true // nothing is set: nearly every terminal has UTF-8
}

func lookupEnv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value
		}
	}
	return ""
}
