package app

// Sent is what came with a real request. It answers "" for what was not sent.
type Sent interface {
	Header(name string) string
	Cookie(name string) string
}

// BeginSent is [Model.Begin] for a request that was really sent: its own headers and cookies decide, not those that the plan's
// user would send. For a request that was sent as planned the outcome is the same. A cohort that the vocabulary does not have is
// one that no fault names: faults for every cohort can hit.
func (m *Model) BeginSent(r Request, sent Sent, s State) (w Work) {
	m.begin(&w, r, s, m.suspectsSent(r, sent))
	return w
}

// HitSent is [Model.Hit] for a request that was really sent.
func (m *Model) HitSent(r Request, sent Sent, s State) []string {
	return m.hit(r, s, m.suspectsSent(r, sent))
}

func (m *Model) suspectsSent(r Request, sent Sent) uint64 {
	routes := len(m.routes)
	if int(r.Route) >= routes {
		return 0
	}
	set := m.open[min(int(r.Cohort), len(m.open)/routes-1)*routes+int(r.Route)]
	if ask := set & m.matches.asks; ask != 0 {
		set &^= m.matches.missing(ask, sent)
	}
	return set
}
