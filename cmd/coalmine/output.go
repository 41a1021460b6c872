package main

import (
	"errors"
	"io"
	"regexp"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// textWriter writes text to a terminal or a file. It removes control and format characters, which
// could come from a manifest or a run folder and steer the terminal, but keeps line breaks, tabs
// and the sequences that the program itself writes.
type textWriter struct {
	w io.Writer
	// allowed matches the program's own sequences at the start of a text; nil if there are none.
	allowed *regexp.Regexp
	// rest is the start of a character whose end has not been written yet.
	rest []byte
	// err is the first error of w.
	err error
}

var (
	// colors are the sequences of colours and styles.
	colors = regexp.MustCompile("^\x1b\\[[0-9;:]*m")
	// redraws is how a progress line is drawn over the last one.
	redraws = regexp.MustCompile("^\r\x1b\\[K")
)

func newTextWriter(w io.Writer, allowed *regexp.Regexp) *textWriter {
	return &textWriter{w: w, allowed: allowed}
}

// Write implements [io.Writer].
func (t *textWriter) Write(p []byte) (int, error) {
	text := append(t.rest, p...)
	clean := make([]byte, 0, len(text))
	for len(text) > 0 && utf8.FullRune(text) {
		n, keep := t.next(text)
		if keep {
			clean = append(clean, text[:n]...)
		}
		text = text[n:]
	}
	t.rest = append([]byte(nil), text...)
	if len(clean) == 0 {
		return len(p), nil
	}
	if _, err := t.w.Write(clean); err != nil {
		if t.err == nil {
			t.err = err
		}
		if errors.Is(err, syscall.EPIPE) {
			return len(p), nil // nobody reads the rest, but a run must complete its files
		}
		return 0, err
	}
	return len(p), nil
}

// next returns the length of the next character or sequence, and whether it may be written.
func (t *textWriter) next(text []byte) (n int, keep bool) {
	r, n := utf8.DecodeRune(text)
	switch {
	case r == '\n' || r == '\t':
		return n, true
	case r == utf8.RuneError && n == 1:
		return 1, false
	case unicode.IsGraphic(r):
		return n, true
	}
	if t.allowed != nil {
		if sequence := t.allowed.Find(text); sequence != nil {
			return len(sequence), true
		}
	}
	return n, false
}

// failed returns why not all of the text was written, or nil. A reader that wants no more is no
// failure.
func (t *textWriter) failed() error {
	if errors.Is(t.err, syscall.EPIPE) {
		return nil
	}
	return t.err
}

// withTextWriters returns a copy of the environment that writes clean text.
func (env *Env) withTextWriters() (clean *Env, out *textWriter) {
	inner := *env
	inner.rawOut = env.Out
	out = newTextWriter(env.Out, nil)
	if env.color() {
		out.allowed = colors
	}
	errors := newTextWriter(env.Err, nil)
	if env.ErrTerminal {
		errors.allowed = redraws
	}
	inner.Out, inner.Err = out, errors
	return &inner, out
}

// withReportOnStderr returns a copy of the environment that writes what is for people to standard
// error, because standard output takes the results.
func (env *Env) withReportOnStderr() *Env {
	inner := *env
	inner.Out, inner.OutTerminal = env.Err, false
	return &inner
}

// raw returns standard output for a screen or a protocol, which write more than text.
func (env *Env) raw() io.Writer {
	if env.rawOut != nil {
		return env.rawOut
	}
	return env.Out
}
