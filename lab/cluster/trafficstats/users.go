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

// userTable holds the flags of users by their numbers.
type userTable map[uint32]userFlags

// add sets flags of a user. It returns those that were not set before.
func (u userTable) add(user uint32, flags userFlags) (added userFlags) {
	old := u[user]
	if added = flags &^ old; added != 0 {
		u[user] = old | flags
	}
	return added
}
