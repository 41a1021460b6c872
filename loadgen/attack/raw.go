package attack

import (
	"net/url"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// vegetaResult returns vegeta's result of a request that has ended. It is newly allocated and may
// be kept.
func (r *run) vegetaResult(f *inflight) *vegeta.Result {
	res := &vegeta.Result{
		Attack: r.Plan.Cohorts()[f.arrival.Cohort].Name, Seq: f.vegetaSeq, Code: f.status,
		Timestamp: r.report.Start.Add(f.at), Latency: f.ended - f.at,
		BytesIn: uint64(f.body.read), Method: f.method, URL: f.url, Headers: f.header,
	}
	if f.err == nil {
		res.BytesOut = uint64(f.length)
	}
	switch {
	case f.err != nil && f.reason == "":
		// The text is that of http.Client.
		op := f.method[:1] + strings.ToLower(f.method[1:])
		res.Error = (&url.Error{Op: op, URL: f.url, Err: f.err}).Error()
	case f.err != nil:
		res.Error = f.err.Error()
	case f.status < 200 || f.status >= 400:
		res.Error = f.reason
	}
	return res
}
