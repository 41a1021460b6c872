package grade_test

import (
	"strings"
	"testing"

	"coalmine/lab/teaching/grade"
)

func TestSeeds(t *testing.T) {
	a, b := grade.Key("a secret of the instructor"), grade.Key("another secret of hers")
	seeds := a.Seeds("x", 20)
	seen := map[uint64]bool{}
	for _, s := range seeds {
		seen[s] = true
	}
	if len(seen) != 20 || a.Seeds("x", 3)[2] != seeds[2] || a.Seeds("y", 1)[0] == seeds[0] ||
		b.Seeds("x", 1)[0] == seeds[0] {
		t.Errorf("the seeds are %v", seeds)
	}
	for _, text := range []string{"", "short", "   \n", strings.Repeat("a", 1<<20)} {
		if _, err := grade.NewKey([]byte(text)); err == nil {
			t.Errorf("%.20q is a key", text)
		}
	}
}

func TestSafeCell(t *testing.T) {
	for text, want := range map[string]string{"=1+1": "'=1+1", "@a": "'@a", "a\n=b": "a =b", "\t-1": "'-1"} {
		if got := grade.SafeCell(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
