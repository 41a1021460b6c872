package trafficstats

import (
	"math"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestUserTable(t *testing.T) {
	numbers := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 200), rapid.Uint32Range(math.MaxUint32-50, math.MaxUint32))
	rapid.Check(t, func(t *rapid.T) {
		var u userTable
		want := map[uint32]userFlags{}
		for range rapid.IntRange(1, 2000).Draw(t, "times") {
			user, add := numbers.Draw(t, "user"), userFlags(rapid.Uint16().Draw(t, "marks"))
			if got := u.add(user, add); got != add&^want[user] {
				t.Fatalf("user %d has %b and gets %b: added are %b", user, want[user], add, got)
			}
			want[user] |= add
		}
		for user, has := range want {
			if got := *u.flags(user); got != has {
				t.Fatalf("user %d has %b, want %b", user, got, has)
			}
		}
	})
}

// Memory is bounded per user, whatever the users' numbers.
func TestUserTableMemory(t *testing.T) {
	const n = 200_000
	for name, c := range map[string]struct {
		number func(i uint32) uint32
		most   int // bytes for each user
	}{
		"dense":               {func(i uint32) uint32 { return i }, 6},
		"dense, far out":      {func(i uint32) uint32 { return i + 1<<31 }, 6},
		"one of each row":     {func(i uint32) uint32 { return i * usersPerRow }, 100},
		"all over the place":  {func(i uint32) uint32 { return i * 0x85ebca6b }, 100},
		"a power of two away": {func(i uint32) uint32 { return i << 14 }, 100},
	} {
		var u userTable
		for i := range uint32(n) {
			u.add(c.number(i), flagSeen)
		}
		if size := len(u.rows) * int(unsafe.Sizeof(row{})); size > n*c.most {
			t.Errorf("%s: %d bytes for each user, want at most %d", name, size/n, c.most)
		}
	}
}
