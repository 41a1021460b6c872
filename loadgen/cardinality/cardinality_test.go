package cardinality

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesAreNumbered(t *testing.T) {
	var s Set
	for i, name := range []string{"", "v1", "v2", "canary 3"} {
		for range 2 {
			if got := s.Index(name); got != i {
				t.Errorf("Index(%q) = %d, want %d", name, got, i)
			}
		}
		if got := s.Name(i); got != name {
			t.Errorf("Name(%d) = %q, want %q", i, got, name)
		}
	}
}

func TestInvalidNamesAreOther(t *testing.T) {
	for _, name := range []string{"v1\x1b[2J", "v\n", "v\x00", "v\u202e1", "v\xff", strings.Repeat("v", 65), "other"} {
		var s Set
		if got := s.Index(name); got != IndexCount-1 || s.Name(got) != Other {
			t.Errorf("%q has index %d, name %q", name, got, s.Name(got))
		}
		if len(s.names) != 0 {
			t.Errorf("%q was kept", name)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	var s Set
	for i := range 10 * MaxNames {
		got, want := s.Index(fmt.Sprint("v", i)), min(i+1, IndexCount-1)
		if got != want {
			t.Fatalf("name %d has index %d, want %d", i, got, want)
		}
	}
	if got := s.Index("v31"); got != MaxNames || s.Name(got) != "v31" {
		t.Errorf("the last name that fits has index %d, name %q", got, s.Name(got))
	}
}

// For any names, indices are in range, do not change, and stand for the name or "other".
func TestSetProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		first := map[string]int{}
		for _, name := range rapid.SliceOf(rapid.StringN(0, 3, -1)).Draw(t, "names") {
			i := s.Index(name)
			if i < 0 || i >= IndexCount {
				t.Fatalf("Index(%q) = %d", name, i)
			}
			if was, seen := first[name]; seen && was != i {
				t.Fatalf("Index(%q) = %d, was %d", name, i, was)
			}
			first[name] = i
			if got := s.Name(i); got != name && got != Other {
				t.Fatalf("Name(Index(%q)) = %q", name, got)
			}
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	var s Set
	names := []string{"v1", "v1", "v1", "v2-faulty"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Index(names[i%len(names)])
	}
}
