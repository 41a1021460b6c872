package trafficstats

import (
	"math/bits"
	"slices"
)

// userFlags is what is remembered of a user.
type userFlags uint16

// Marks of a user: seen, hurt, and from firstName on one for each workload that served the user during the rollout.
const (
	flagSeen userFlags = 1 << iota
	flagHurt
	flagFirstWorkload
)

// maxFlagged is how many workloads' names a user's marks have room for. A released service has two.
const maxFlagged = 14

// flagOf returns the mark of the users of a workload, 0 for nobody's and for those that there is no room for.
func (t *Stats) flagOf(workload string) userFlags {
	if workload == "" {
		return 0
	}
	at := slices.Index(t.flagged, workload)
	if at < 0 {
		if len(t.flagged) == maxFlagged {
			return 0
		}
		at = len(t.flagged)
		t.flagged = append(t.flagged, workload)
	}
	return flagFirstWorkload << at
}

// add counts the marks that a user has for the first time.
func (p *cohortUsers) add(fresh userFlags) {
	if fresh&flagHurt != 0 {
		p.hurt++
	}
	for names := uint16(fresh / flagFirstWorkload); names != 0; names &= names - 1 {
		at := bits.TrailingZeros16(names)
		for len(p.assigned) <= at {
			p.assigned = append(p.assigned, 0)
		}
		p.assigned[at]++
	}
}

// userTable remembers marks by the users' numbers, which may be anything. It is a hash table with linear probing whose entries
// are rows of neighbours: numbers mostly are dense, and take 3 to 6 bytes each then; numbers far apart take up to 100.
type userTable struct {
	rows  []row // a power of two of them
	taken int
	shift int
}

// usersPerRow is the number of users in a row.
const usersPerRow = 16

type row struct {
	// key is the row's number plus 1; 0 is a free entry.
	key   uint32
	flags [usersPerRow]userFlags
}

const minRows = 64

// add adds marks to a user's. It returns those that the user did not have.
func (u *userTable) add(user uint32, add userFlags) (fresh userFlags) {
	m := u.flags(user)
	fresh = add &^ *m
	*m |= add
	return fresh
}

// flags returns a user's marks.
func (u *userTable) flags(user uint32) *userFlags {
	if u.taken >= len(u.rows)/4*3 {
		u.grow()
	}
	r := u.find(user/usersPerRow + 1)
	return &r.flags[user%usersPerRow]
}

// find returns the row of a name, which is made where there is none.
func (u *userTable) find(name uint32) *row {
	last := uint32(len(u.rows) - 1)
	// Fibonacci hashing keeps rows with numbers at even distances apart (Knuth: The Art of Computer Programming 3, 6.4).
	for at := name * 0x9e3779b1 >> u.shift; ; at = (at + 1) & last {
		switch r := &u.rows[at]; r.key {
		case name:
			return r
		case 0:
			r.key = name
			u.taken++
			return r
		}
	}
}

func (u *userTable) grow() {
	old := u.rows
	u.rows = make([]row, max(2*len(old), minRows))
	u.taken, u.shift = 0, 32-bits.Len(uint(len(u.rows)-1))
	for i := range old {
		if r := &old[i]; r.key != 0 {
			u.find(r.key).flags = r.flags
		}
	}
}
