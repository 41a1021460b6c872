package spelling_test

import (
	"testing"

	"coalmine/lab/input/spelling"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"rate", "rate", 0}, {"", "rate", 4}, {"eror", "error", 1}, {"erorr", "error", 1},
		{"kitten", "sitting", 3},
		{"stepweihgts", "stepweights", 1}, {"ca", "abc", 3},
	} {
		if got := spelling.Distance(c.a, c.b); got != c.want || spelling.Distance(c.b, c.a) != got {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
