// Package asciicast writes screen recordings in the asciicast format, version 2: a header, then one
// line for each change of the screen and for each marker (docs.asciinema.org/manual/asciicast/v2).
//
// A cast consists of frames, not of the bytes that a terminal received: the same frames at the same
// times give the same bytes on any machine, and no terminal is needed.
package asciicast

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Header is a cast's size and title.
type Header struct {
	Width, Height int
	Title         string
}

// Writer writes a cast.
type Writer struct {
	w    *bufio.Writer
	last []string // the lines of the last frame
	at   time.Duration
	err  error
}

// NewWriter starts a cast.
func NewWriter(w io.Writer, h Header) *Writer {
	c := &Writer{w: bufio.NewWriter(w)}
	header := struct {
		Version int               `json:"version"`
		Width   int               `json:"width"`
		Height  int               `json:"height"`
		Title   string            `json:"title,omitempty"`
		Env     map[string]string `json:"env"`
	}{2, h.Width, h.Height, h.Title, map[string]string{"TERM": "xterm-256color"}}
	c.line(header)
	return c
}

func (c *Writer) line(v any) {
	if c.err != nil {
		return
	}
	data, err := json.Marshal(v)
	if err == nil {
		_, err = c.w.Write(append(data, '\n'))
	}
	c.err = err
}

func (c *Writer) event(code, data string) {
	seconds := strconv.FormatFloat(c.at.Round(time.Microsecond).Seconds(), 'f', -1, 64)
	c.line([]any{json.Number(seconds), code, data})
}

// Frame shows a frame from a time since the cast's start on: styled lines. Only lines that changed
// are written. Times must not go backwards.
func (c *Writer) Frame(at time.Duration, frame string) {
	c.at = max(c.at, at)
	lines := strings.Split(frame, "\n")
	var b strings.Builder
	if c.last == nil {
		b.WriteString("\x1b[?25l\x1b[2J") // hide the cursor, clear the screen
	}
	for y, l := range lines {
		if c.last == nil || y >= len(c.last) || c.last[y] != l {
			fmt.Fprintf(&b, "\x1b[%d;1H%s\x1b[m\x1b[K", y+1, l)
		}
	}
	c.last = lines
	if b.Len() > 0 {
		c.event("o", b.String())
	}
}

// Marker adds a marker at a time.
func (c *Writer) Marker(at time.Duration, label string) {
	c.at = max(c.at, at)
	c.event("m", label)
}

// Close ends the cast at a time, and returns the first write error.
func (c *Writer) Close(at time.Duration) error {
	c.at = max(c.at, at)
	c.event("o", "\x1b[?25h")
	if err := c.w.Flush(); c.err == nil {
		c.err = err
	}
	return c.err
}
