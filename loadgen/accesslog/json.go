package accesslog

import "encoding/json"

// jsonNames lists, for each field, the names that it has in the JSON logs of common servers, those that are taken first in
// front. A name of a nested object's field is its path with points. Case does not matter, and - is as good as _.
//
// Sources: nginx's variables (ngx_http_core_module), which logs usually name their fields by; Caddy's
// modules/caddyhttp/marshalers.go; Traefik's pkg/middlewares/accesslog/logdata.go; Istio's default format for Envoy;
// linkerd2-proxy's linkerd/http-access-log; the Elastic Common Schema; Google Cloud's HttpRequest; Cloudflare's HTTP requests.
func jsonNames() [fieldCount][]string {
	return [fieldCount][]string{
		fieldTime: {"startutc", "startlocal", "start_time", "edgestarttimestamp", "msec", "ts", "@timestamp", "timestamp", "time",
			"time_iso8601", "time_local", "datetime"},
		fieldClient: {"client_ip", "request.client_ip", "clienthost", "http_x_forwarded_for", "x_forwarded_for", "clientip", "remote_addr",
			"remote_ip", "request.remote_ip", "remoteaddr", "remote_host", "clientaddr", "client.addr", "client_addr", "source.ip",
			"source.address", "httprequest.remoteip", "downstream_remote_address", "client", "remote"},
		fieldUser:    {"remote_user", "user_id", "clientusername", "user.name", "client.id", "user", "username"},
		fieldRequest: {"request", "request_line", "requestline"},
		fieldMethod: {"request_method", "method", "request.method", "requestmethod", "clientrequestmethod", "http.request.method",
			"httprequest.requestmethod", "http_method", "verb"},
		fieldTarget: {"request_uri", "uri", "request.uri", "requestpath", "clientrequesturi", "url.original", "url", "requesturi",
			"httprequest.requesturl", "path", "request_path", "url.path"},
		fieldQuery: {"args", "query_string", "query", "url.query"},
		fieldStatus: {"status", "status_code", "downstreamstatus", "response_code", "edgeresponsestatus", "http.response.status_code",
			"httprequest.status", "statuscode", "response.status"},
		fieldBytes: {"body_bytes_sent", "bytes_sent", "size", "downstreamcontentsize", "response_bytes", "edgeresponsebytes",
			"http.response.body.bytes", "httprequest.responsesize", "response_size", "bytes"},
		fieldReferer: {"http_referer", "http_referrer", "request.headers.referer", "request_referer", "clientrequestreferer",
			"http.request.referrer", "httprequest.referer", "referer", "referrer"},
		fieldAgent: {"http_user_agent", "request.headers.user_agent", "request_user_agent", "clientrequestuseragent",
			"user_agent.original", "httprequest.useragent", "user_agent", "useragent", "agent"},
	}
}

// jsonField of a name: whose it is, and how many others of the same field go before it.
type jsonField struct{ field, rank int }

// jsonParser reads JSON lines.
type jsonParser struct {
	names map[string]jsonField
	// Of the line that is being read:
	text []byte
	at   int
	path []byte
	rank [fieldCount]int
	f    *fields
}

func newJSONParser() jsonParser {
	p := jsonParser{names: map[string]jsonField{}}
	for field, names := range jsonNames() {
		for rank, name := range names {
			p.names[name] = jsonField{field, rank}
		}
	}
	return p
}

// parse reads a line. Objects are walked by hand, after the standard library has found them well-formed: of the many fields of
// a line few matter.
func (p *jsonParser) parse(text []byte, f *fields) lineError {
	if text[0] != '{' || !json.Valid(text) {
		return errJSON
	}
	p.text, p.at, p.path, p.f = text, 0, p.path[:0], f
	for i := range p.rank {
		p.rank[i] = len(p.names) // after all others
	}
	p.object()
	switch {
	case f[fieldTime] == nil:
		return errNoTime
	case f[fieldRequest] == nil && (f[fieldMethod] == nil || f[fieldTarget] == nil):
		return errNoPath
	}
	return ""
}

// object walks the object that begins here. The standard library bounds how deep objects stand in each other.
func (p *jsonParser) object() {
	p.at++ // {
	for p.next() != '}' {
		if p.text[p.at] == ',' {
			p.at++
			p.next()
		}
		name := p.scalar()
		begin := len(p.path)
		if begin > 0 {
			p.path = append(p.path, '.')
		}
		p.path = appendName(p.path, name)
		p.next()
		p.at++ // :
		p.value()
		p.path = p.path[:begin]
	}
	p.at++ // }
}

// value walks the value that begins here: of a list, what can be its first text.
func (p *jsonParser) value() {
	switch c := p.next(); {
	case c == '{':
		p.object()
	case c == '[':
		if begin := p.at + 1; p.text[begin] == '"' {
			p.at = begin
			p.take(p.scalar())
			p.at = begin - 1
		}
		p.skip()
	default:
		p.take(p.scalar())
	}
}

// take keeps the value at the path if no better one is there.
func (p *jsonParser) take(value []byte) {
	m, known := p.names[string(p.path)]
	if !known || m.rank >= p.rank[m.field] || isMissing(value) {
		return
	}
	p.f[m.field], p.rank[m.field] = value, m.rank
}

// next goes over space and returns the byte that follows.
func (p *jsonParser) next() byte {
	for p.text[p.at] <= ' ' {
		p.at++
	}
	return p.text[p.at]
}

// scalar reads a string, or a number as it is written; nil for true, false and null.
func (p *jsonParser) scalar() []byte {
	begin := p.at
	if p.text[begin] == '"' {
		return p.quoted()
	}
	for c := p.text[p.at]; c != ',' && c != '}' && c > ' '; c = p.text[p.at] {
		p.at++
	}
	if c := p.text[begin]; c == 't' || c == 'f' || c == 'n' {
		return nil
	}
	return p.text[begin:p.at]
}

// quoted reads a string.
func (p *jsonParser) quoted() []byte {
	begin, escaped := p.at, false
	for p.at++; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			escaped = true
			p.at++
		}
	}
	p.at++ // "
	if !escaped {
		return p.text[begin+1 : p.at-1]
	}
	var s string
	if err := json.Unmarshal(p.text[begin:p.at], &s); err != nil {
		return nil
	}
	return []byte(s)
}

// skip goes over the list that begins here.
func (p *jsonParser) skip() {
	for depth := 0; ; p.at++ {
		switch p.text[p.at] {
		case '"':
			for p.at++; p.text[p.at] != '"'; p.at++ {
				if p.text[p.at] == '\\' {
					p.at++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				p.at++
				return
			}
		}
	}
}

// appendName writes a name in the form of [jsonNames].
func appendName(path, name []byte) []byte {
	for _, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '-':
			c = '_'
		}
		path = append(path, c)
	}
	return path
}
