package asciicast_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/tui/asciicast"
)

// screen plays what a cast writes: lines with their positions.
type screen struct{ lines []string }

func (s *screen) play(t *rapid.T, data string) {
	part := regexp.MustCompile(`^\x1b\[(\d+);1H(.*?)\x1b\[m\x1b\[K`)
	data = strings.TrimPrefix(data, "\x1b[?25l\x1b[2J")
	for data != "" {
		m := part.FindStringSubmatch(data)
		if m == nil {
			if data == "\x1b[?25h" {
				return
			}
			t.Fatalf("cannot play %q", data)
		}
		y, _ := strconv.Atoi(m[1])
		for len(s.lines) < y {
			s.lines = append(s.lines, "")
		}
		s.lines[y-1] = m[2]
		data = data[len(m[0]):]
	}
}

// TestFrames: after each entry the screen equals the frame that was written, and time goes forward.
func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		w := asciicast.NewWriter(&b, asciicast.Header{Width: 80, Height: 3, Title: "a \"title\""})
		at := time.Duration(0)
		var frames []string
		line := rapid.SampledFrom([]string{"", "plain", "\x1b[0;31mred\x1b[m", "漢字"})
		for range rapid.IntRange(1, 10).Draw(t, "frames") {
			at += time.Duration(rapid.IntRange(-100, 2000).Draw(t, "ms")) * time.Millisecond
			p := line.Draw(t, "a") + "\n" + line.Draw(t, "b") + "\n" + line.Draw(t, "c")
			w.Frame(at, p)
			if len(frames) == 0 || frames[len(frames)-1] != p {
				frames = append(frames, p)
			}
			if rapid.Bool().Draw(t, "mark") {
				w.Marker(at, "here")
			}
		}
		if err := w.Close(at + time.Second); err != nil {
			t.Fatal(err)
		}
		check(t, b.Bytes(), frames)
	})
}

func check(t *rapid.T, data []byte, frames []string) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Scan()
	var header map[string]any
	if err := json.Unmarshal(lines.Bytes(), &header); err != nil || header["version"] != 2.0 ||
		header["width"] != 80.0 || header["height"] != 3.0 {
		t.Fatalf("header %s: %v", lines.Bytes(), err)
	}
	var s screen
	last := 0.0
	for lines.Scan() {
		var e [3]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		if e[0].(float64) < last {
			t.Fatalf("time goes back at %s", lines.Bytes())
		}
		last = e[0].(float64)
		if e[1] == "o" && e[2] != "\x1b[?25h" {
			s.play(t, e[2].(string))
			if got := strings.Join(s.lines, "\n"); got != frames[0] {
				t.Fatalf("the screen shows %q, want %q", got, frames[0])
			}
			frames = frames[1:]
		} else if e[1] == "m" && e[2] != "here" {
			t.Fatalf("marker %v", e[2])
		}
	}
	if len(frames) > 0 {
		t.Fatalf("%d frames are not shown", len(frames))
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestWriteErrors(t *testing.T) {
	w := asciicast.NewWriter(full{}, asciicast.Header{Width: 80, Height: 24})
	for i := range 1000 {
		w.Frame(time.Duration(i), fmt.Sprint(strings.Repeat("x", 100), i))
	}
	if err := w.Close(0); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v", err)
	}
}
