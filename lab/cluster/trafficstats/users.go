package trafficstats

import (
	"math/bits"
	"slices"
)

// userFlags are the flags of a user.
type userFlags uint16

// Flags of a user: seen, hurt, and from flagFirstWorkload on, one for each workload that served the user
// during the rollout.
const (
	flagSeen userFlags = 1 << iota
	flagHurt
	flagFirstWorkload
)

// maxFlagged is the number of workloads that have a flag. A released service has two workloads.
const maxFlagged = 14

// flagOf returns the flag of a workload, or 0 if the workload is "" or no flag is left.
func (s *Stats) flagOf(workload string) userFlags {
	if workload == "" {
		return 0
	}
	at := slices.Index(s.flagged, workload)
	if at < 0 {
		if len(s.flagged) == maxFlagged {
			return 0
		}
		at = len(s.flagged)
		s.flagged = append(s.flagged, workload)
	}
	return flagFirstWorkload << at
}

// add counts flags that were set on a user for the first time.
func (p *cohortUsers) add(added userFlags) {
	if added&flagHurt != 0 {
		p.hurt++
	}
	for names := uint16(added / flagFirstWorkload); names != 0; names &= names - 1 {
		at := bits.TrailingZeros16(names)
		for len(p.assigned) <= at {
			p.assigned = append(p.assigned, 0)
		}
		p.assigned[at]++
	}
}

// userTable holds flags by the users' numbers, which can be any. It is a hash table with linear probing
// whose entries are rows of consecutive users: dense numbers, the usual case, take 3 to 6 bytes each,
// sparse ones up to 100.
type userTable struct {
	rows  []row // their number is a power of two
	taken int
	shift int
}

// usersPerRow is the number of users in a row.
const usersPerRow = 16

type row struct {
	// key is the row's number plus 1; 0 is an empty entry.
	key   uint32
	flags [usersPerRow]userFlags
}

const minRows = 64

// add sets flags of a user. It returns those that were not set before.
func (u *userTable) add(user uint32, flags userFlags) (added userFlags) {
	f := u.flags(user)
	added = flags &^ *f
	*f |= flags
	return added
}

// flags returns a user's flags.
func (u *userTable) flags(user uint32) *userFlags {
	if u.taken >= len(u.rows)/4*3 {
		u.grow()
	}
	r := u.find(user/usersPerRow + 1)
	return &r.flags[user%usersPerRow]
}

// find returns the row with a key, which it creates if there is none.
func (u *userTable) find(key uint32) *row {
	last := uint32(len(u.rows) - 1)
	// Fibonacci hashing spreads evenly spaced keys (Knuth: The Art of Computer Programming 3, 6.4).
	for at := key * 0x9e3779b1 >> u.shift; ; at = (at + 1) & last {
		switch r := &u.rows[at]; r.key {
		case key:
			return r
		case 0:
			r.key = key
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
