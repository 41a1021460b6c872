package attack

import (
	"io"
	"net/http"
	"net/url"
)

// redirects follows the redirects of responses, as browsers do, within one attempt.
type redirects struct {
	// most is how many are followed; the response after them stands as it is.
	most int
	// hosts are the scheme and host of the targets: load must not reach a host that nobody named.
	hosts map[string]bool
}

func newRedirects(a Attack) redirects {
	r := redirects{most: a.Redirects, hosts: map[string]bool{}}
	for _, u := range a.Targets {
		r.hosts[u.Scheme+"://"+u.Host] = true
	}
	return r
}

// next returns the request that a response asks for, or nil if it is not to be followed. The method
// changes as in browsers and in net/http: 303 is followed by GET, and so are 301 and 302 unless the
// request was one of HEAD (RFC 9110, section 15.4).
func (r redirects) next(req *http.Request, resp *http.Response, followed int) *http.Request {
	if followed >= r.most {
		return nil
	}
	method, keep := http.MethodGet, false
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if req.Method == http.MethodHead {
			method = http.MethodHead
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		method, keep = req.Method, true
	default:
		return nil
	}
	to, err := location(req, resp)
	if err != nil || to == nil || !r.hosts[to.Scheme+"://"+to.Host] {
		return nil
	}
	again := req.Clone(req.Context())
	again.URL, again.Host, again.Method = to, "", method
	again.URL.Fragment = ""
	again.Header.Del(cookieHeader)
	switch {
	case !keep:
		again.Body, again.GetBody, again.ContentLength = nil, nil, 0
		again.Header.Del("Content-Type")
	case req.Body != nil && req.Body != http.NoBody:
		if req.GetBody == nil {
			return nil
		}
		if again.Body, err = req.GetBody(); err != nil {
			return nil
		}
	}
	return again
}

// location returns the URL that a response redirects to, or nil if it names none.
func location(req *http.Request, resp *http.Response) (*url.URL, error) {
	text := resp.Header.Get("Location")
	if text == "" {
		return nil, nil
	}
	return req.URL.Parse(text)
}

// maxDiscarded limits what is read of the body of a redirect so that its connection can be kept.
const maxDiscarded = 64 << 10

// discard ends a response that is followed by another.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDiscarded)
	resp.Body.Close()
}
