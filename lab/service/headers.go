package service

// RequestHeaders is what came with a real request. It answers "" for what was not sent.
type RequestHeaders interface {
	Header(name string) string
	Cookie(name string) string
}

// BeginWithHeaders is [Model.Begin] for a request that was really sent: its own headers and cookies decide, not those that the plan's
// user would send. For a request that was sent as planned the outcome is the same. A cohort that the vocabulary does not have is
// one that no fault names: faults for every cohort can hit.
func (m *Model) BeginWithHeaders(r Request, sent RequestHeaders, s State) (w Work) {
	m.begin(&w, r, s, m.candidateFaultsSent(r, sent))
	return w
}

// HitWithHeaders is [Model.Hit] for a request that was really sent.
func (m *Model) HitWithHeaders(r Request, sent RequestHeaders, s State) []string {
	return m.hit(r, s, m.candidateFaultsSent(r, sent))
}

func (m *Model) candidateFaultsSent(r Request, sent RequestHeaders) uint64 {
	routes := len(m.routes)
	if int(r.Route) >= routes {
		return 0
	}
	set := m.byRoute[min(int(r.Cohort), len(m.byRoute)/routes-1)*routes+int(r.Route)]
	if ask := set & m.matches.conditional; ask != 0 {
		set &^= m.matches.missing(ask, sent)
	}
	return set
}
