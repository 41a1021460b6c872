package verify

import (
	"testing"

	"coalmine/lab/run/folder"
)

func TestPick(t *testing.T) {
	all := make([]folder.CheckSeed, 20)
	for i := range all {
		all[i].Seed = uint64(i)
	}
	for n, want := range map[int]int{0: 0, 1: 1, 3: 3, 20: 20, 25: 20} {
		if got := pick(all, n); len(got) != want {
			t.Errorf("of 20 seeds, %d were picked, want %d", len(got), want)
		}
	}
	seen := map[uint64]bool{}
	for range 200 {
		picked := pick(all, 3)
		if picked[0].Seed >= picked[1].Seed || picked[1].Seed >= picked[2].Seed {
			t.Fatalf("picked twice, or out of order: %v", picked)
		}
		for _, k := range picked {
			seen[k.Seed] = true
		}
	}
	if len(seen) != 20 {
		t.Errorf("only %d of 20 seeds are ever picked", len(seen))
	}
}
