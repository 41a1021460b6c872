package similar_test

import (
	"fmt"
	"testing"

	"coalmine/lab/teaching/grade/similar"
)

func work(author string, comment string, n int) similar.Work {
	text := "kind: Canary # " + comment + "\nspec:\n"
	for i := range 20 {
		value := i
		if i < n {
			value = 1000 + i
		}
		text += fmt.Sprintf("  field%d: %d\n", i, value)
	}
	return similar.Work{Author: author, Features: similar.Features(map[string][]byte{author + ".yaml": []byte(text)},
		map[string][]byte{"a.yaml": []byte("kind: Canary\n")})}
}

func TestPairs(t *testing.T) {
	pairs := similar.Pairs([]similar.Work{work("ann", "mine", 0), work("bob", "other", 20), work("eve", "mine", 1),
		work("zoe", "mine too", 10)})
	if len(pairs) != 1 || pairs[0].A != "ann" || pairs[0].B != "eve" || pairs[0].Common != 20 {
		t.Errorf("the pairs are %v", pairs)
	}
}

func TestStarterIsNobodysWork(t *testing.T) {
	files := map[string][]byte{"a.yaml": []byte("kind: Canary # x\nspec: {a: 1}\n")}
	if f := similar.Features(files, map[string][]byte{"b.yaml": files["a.yaml"]}); len(f) != 0 {
		t.Errorf("an untouched starter has %d features", len(f))
	}
}
