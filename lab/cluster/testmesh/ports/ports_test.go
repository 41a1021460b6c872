package ports_test

import (
	"testing"

	"coalmine/lab/cluster/testmesh/ports"
)

func TestParse(t *testing.T) {
	set, err := ports.Parse(" 4222, 8000-8100 ,,65535")
	if err != nil {
		t.Fatal(err)
	}
	for port, want := range map[uint16]bool{4222: true, 4221: false, 8000: true, 8100: true, 8101: false,
		65535: true, 1: false} {
		if set.Has(port) != want {
			t.Errorf("has %d: %v", port, !want)
		}
	}
	if none, err := ports.Parse(""); err != nil || none.Has(80) {
		t.Errorf("%v, %v", none, err)
	}
	for _, bad := range []string{"0", "65536", "x", "80-", "-80", "90-80", "1,2,-", "80;81"} {
		if set, err := ports.Parse(bad); err == nil {
			t.Errorf("%q is %v", bad, set)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1,2-3")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ports.Parse(text)
		for _, r := range set {
			if err != nil || r.First == 0 || r.Last < r.First {
				t.Errorf("%q is %v, %v", text, set, err)
			}
		}
	})
}
