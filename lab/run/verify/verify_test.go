package verify

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestComparison(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		recorded, played string
		differs          int
	}{
		"identical":              {"a\nb\n", "a\nb\n", 0},
		"identical, long lines":  {long + "\n" + long + "\n", long + "\n" + long + "\n", 0},
		"the first line":         {"a\nb\n", "x\nb\n", 1},
		"the end of a long line": {"a\n" + long + "y\n", "a\n" + long + "z\n", 2},
		"more recorded":          {"a\nb\nc\n", "a\nb\n", 3},
		"more played":            {"a\n", "a\nb\n", 2},
		"recorded without end":   {"a\nb", "a\nb\n", 2},
		"nothing recorded":       {"", "a\n", 1},
	} {
		for _, size := range []int{1, 3, 1 << 20} {
			got := &comparison{recorded: bufio.NewReaderSize(strings.NewReader(c.recorded), 16)}
			for rest := c.played; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(got, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			got.end()
			if got.differs != c.differs {
				t.Errorf("%s, %d bytes at a time: differs at line %d, want %d", name, size, got.differs, c.differs)
			}
		}
	}
}
