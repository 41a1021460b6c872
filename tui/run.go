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
	// Env is the environment, as os.Environ has it.
	Env []string
}

// ErrInterrupted says that the user asked to end the program.
var ErrInterrupted = errors.New("interrupted")

// Run shows a screen until it is left, or until the context ends; cmds are begun with it. The terminal is as it was before,
// whatever happens.
func Run(ctx context.Context, t Terminal, first screen.Screen, cmds ...tea.Cmd) error {
	look := theme.New(true, colorprofile.TrueColor)
	look.ASCII = !supportsUnicode(t.Env)
	opts := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithEnvironment(t.Env),
		tea.WithoutSignalHandler(), // the context ends on signals
	}
	if lookupEnv(t.Env, "NO_COLOR") != "" { // whatever its value, see no-color.org
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
		look = theme.New(true, colorprofile.ASCII)
		look.ASCII = !supportsUnicode(t.Env)
	}
	_, err := tea.NewProgram(NewWindow(first, look, cmds...), opts...).Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrInterrupted):
		return ErrInterrupted
	}
	return err
}

// supportsUnicode tells whether the environment's character set is UTF-8, by the first of the variables that is set (POSIX, locale).
// The console of Linux has UTF-8, but no dots to draw charts with.
func supportsUnicode(env []string) bool {
	if lookupEnv(env, "TERM") == "linux" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(lookupEnv(env, name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true // nothing is said: nearly every terminal can
}

func lookupEnv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value
		}
	}
	return ""
}
