package service

// RequestHeaders gives access to the headers and cookies of a real request. Missing ones are "".
type RequestHeaders interface {
	Header(name string) string
	Cookie(name string) string
}

// BeginWithHeaders is [Model.Begin] for a real request: its own headers and cookies decide instead
// of those of the plan's user. For a request that was sent as planned, the result is the same. If
// the cohort is not in the vocabulary, only faults without cohorts can hit.
func (m *Model) BeginWithHeaders(r Request, headers RequestHeaders, s State) (w Work) {
	m.begin(&w, &r, s, m.candidateFaultsSent(r, headers))
	return w
}

// HitWithHeaders is [Model.Hit] for a real request.
func (m *Model) HitWithHeaders(r Request, headers RequestHeaders, s State) []string {
	return m.hit(r, s, m.candidateFaultsSent(r, headers))
}

func (m *Model) candidateFaultsSent(r Request, headers RequestHeaders) uint64 {
	routes := len(m.routes)
	if int(r.Route) >= routes {
		return 0
	}
	set := m.byRoute[min(int(r.Cohort), len(m.byRoute)/routes-1)*routes+int(r.Route)]
	if ask := set & m.matches.conditional; ask != 0 {
		set &^= m.matches.missing(ask, headers)
	}
	return set
}
