package trafficstats

import (
	"math/bits"
	"slices"
)

// userFlags are the flags of a user.
type userFlags uint16

// Flags of a user: seen, hurt, and from flagFirstWorkload on, one for each workload that served the
// user during the rollout.
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

// userTable holds the flags of users by their numbers. The users of a plan are numbered from 0, and
// most plans have fewer than maxListed of them.
type userTable struct {
	listed []userFlags
	others map[uint32]userFlags
}

// maxListed bounds the memory of the list: 2 MiB.
const maxListed = 1 << 20

// add sets flags of a user. It returns those that were not set before.
func (u *userTable) add(user uint32, flags userFlags) (added userFlags) {
	if user >= maxListed {
		return u.addOther(user, flags)
	}
	if n := len(u.listed); int(user) >= n {
		u.listed = append(u.listed, make([]userFlags, max(int(user)+1-n, min(n, maxListed-n)))...)
	}
	old := &u.listed[user]
	added = flags &^ *old
	*old |= flags
	return added
}

func (u *userTable) addOther(user uint32, flags userFlags) (added userFlags) {
	if u.others == nil {
		u.others = map[uint32]userFlags{}
	}
	old := u.others[user]
	u.others[user] = old | flags
	return flags &^ old
}
