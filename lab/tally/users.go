package tally

import (
	"math/bits"
	"slices"
)

// marks is what is remembered of a user.
type marks uint16

// Marks of a user: seen, hurt, and from firstName on one for each workload that served the user during the rollout.
const (
	seen marks = 1 << iota
	hurt
	firstName
)

// mostNames is how many workloads' names a user's marks have room for. A released service has two.
const mostNames = 14

// markOf returns the mark of the users of a workload, 0 for nobody's and for those that there is no room for.
func (t *Tally) markOf(workload string) marks {
	if workload == "" {
		return 0
	}
	at := slices.Index(t.names, workload)
	if at < 0 {
		if len(t.names) == mostNames {
			return 0
		}
		at = len(t.names)
		t.names = append(t.names, workload)
	}
	return firstName << at
}

// count counts the marks that a user has for the first time.
func (p *people) count(fresh marks) {
	if fresh&hurt != 0 {
		p.hurt++
	}
	for names := uint16(fresh / firstName); names != 0; names &= names - 1 {
		at := bits.TrailingZeros16(names)
		for len(p.assigned) <= at {
			p.assigned = append(p.assigned, 0)
		}
		p.assigned[at]++
	}
}

// users remembers marks by the users' numbers, which may be anything. It is a hash table with linear probing whose entries
// are rows of neighbours: numbers mostly are dense, and take 3 to 6 bytes each then; numbers far apart take up to 100.
type users struct {
	rows  []row // a power of two of them
	taken int
	shift int
}

// rowUsers is the number of users in a row.
const rowUsers = 16

type row struct {
	// name is the row's number plus 1; 0 is a free entry.
	name  uint32
	marks [rowUsers]marks
}

const firstRows = 64

// mark adds marks to a user's. It returns those that the user did not have.
func (u *users) mark(user uint32, add marks) (fresh marks) {
	m := u.of(user)
	fresh = add &^ *m
	*m |= add
	return fresh
}

// of returns a user's marks.
func (u *users) of(user uint32) *marks {
	if u.taken >= len(u.rows)/4*3 {
		u.grow()
	}
	r := u.find(user/rowUsers + 1)
	return &r.marks[user%rowUsers]
}

// find returns the row of a name, which is made where there is none.
func (u *users) find(name uint32) *row {
	last := uint32(len(u.rows) - 1)
	// Fibonacci hashing keeps rows with numbers at even distances apart (Knuth: The Art of Computer Programming 3, 6.4).
	for at := name * 0x9e3779b1 >> u.shift; ; at = (at + 1) & last {
		switch r := &u.rows[at]; r.name {
		case name:
			return r
		case 0:
			r.name = name
			u.taken++
			return r
		}
	}
}

func (u *users) grow() {
	old := u.rows
	u.rows = make([]row, max(2*len(old), firstRows))
	u.taken, u.shift = 0, 32-bits.Len(uint(len(u.rows)-1))
	for i := range old {
		if r := &old[i]; r.name != 0 {
			u.find(r.name).marks = r.marks
		}
	}
}
