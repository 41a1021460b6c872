package accesslog

import (
	"cmp"
	"encoding/json"
)

// jsonNames lists, for each field, its names in the JSON logs of common servers, in order of
// preference. The name of a field in a nested object is its path, joined by dots. Names are
// case-insensitive, and - equals _.
//
// Sources: nginx's variables (ngx_http_core_module), which logs usually name their fields by;
// Caddy's modules/caddyhttp/marshalers.go; Traefik's pkg/middlewares/accesslog/logdata.go; Istio's
// default format for Envoy; linkerd2-proxy's linkerd/http-access-log; the Elastic Common Schema;
// Google Cloud's HttpRequest; Cloudflare's HTTP requests.
func jsonNames() [fieldCount][]string {
	return [fieldCount][]string{
		fieldTime: {"startutc", "startlocal", "start_time", "started_at", "edgestarttimestamp", "reqtimesec", "msec",
			"time_iso8601", "time_local", "ts", "timestamp", "@timestamp", "time", "datetime"},
		fieldClient: {"client_ip", "request.client_ip", "clienthost", "http_x_forwarded_for", "x_forwarded_for",
			"clientip", "remote_addr",
			"remote_ip", "request.remote_ip", "remoteaddr", "remote_host", "clientaddr", "client.addr", "client_addr",
			"source.ip",
			"source.address", "httprequest.remoteip", "downstream_remote_address", "client", "remote"},
		fieldUser:    {"remote_user", "user_id", "clientusername", "user.name", "client.id", "user", "username"},
		fieldRequest: {"request", "request_line", "requestline"},
		fieldMethod: {"request_method", "method", "request.method", "requestmethod", "clientrequestmethod",
			"http.request.method",
			"httprequest.requestmethod", "http_method", "verb"},
		fieldTarget: {"request_uri", "uri", "request.uri", "requestpath", "clientrequesturi", "url.original", "url",
			"requesturi",
			"httprequest.requesturl", "path", "request_path", "url.path"},
		fieldQuery: {"args", "query_string", "query", "url.query"},
		fieldStatus: {"status", "status_code", "downstreamstatus", "response_code", "edgeresponsestatus",
			"http.response.status_code",
			"httprequest.status", "statuscode", "response.status", "response"},
		fieldBytes: {"body_bytes_sent", "bytes_sent", "size", "downstreamcontentsize", "response_bytes",
			"edgeresponsebytes",
			"http.response.body.bytes", "httprequest.responsesize", "response_size", "bytes"},
		fieldReferer: {"http_referer", "http_referrer", "request.headers.referer", "request_referer",
			"clientrequestreferer",
			"http.request.referrer", "httprequest.referer", "referer", "referrer"},
		fieldAgent: {"http_user_agent", "request.headers.user_agent", "request_user_agent", "clientrequestuseragent",
			"user_agent.original", "httprequest.useragent", "user_agent", "useragent", "agent"},
	}
}

// jsonField is the field that a name stands for, and the rank of the name among those of the field.
type jsonField struct{ field, rank int }

// jsonParser parses JSON lines.
type jsonParser struct {
	names map[string]jsonField
	// State of the current line:
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

// parse parses a line. encoding/json validates it; the walk is done by hand, because only a few of
// a line's many fields matter.
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

// wrapped returns the line of a server that a collector has put into a field of a JSON line, as
// Docker, Fluent Bit and Filebeat do; nil if there is none.
func wrapped(text []byte) []byte {
	var w struct{ Log, Message string }
	if text[0] != '{' || json.Unmarshal(text, &w) != nil {
		return nil
	}
	return withoutPrefix([]byte(cmp.Or(w.Log, w.Message)))
}

// object walks the object at the current position. encoding/json bounds the nesting depth.
func (p *jsonParser) object() {
	p.at++ // {
	for p.next() != '}' {
		if p.text[p.at] == ',' {
			p.at++
			p.next()
		}
		name := p.scalar()
		start := len(p.path)
		if start > 0 {
			p.path = append(p.path, '.')
		}
		p.path = appendName(p.path, name)
		p.next()
		p.at++ // :
		p.value()
		p.path = p.path[:start]
	}
	p.at++ // }
}

// value walks the value at the current position. Of a list it takes the first element if that is a
// string.
func (p *jsonParser) value() {
	switch c := p.next(); {
	case c == '{':
		p.object()
	case c == '[':
		if start := p.at + 1; p.text[start] == '"' {
			p.at = start
			p.take(p.scalar())
			p.at = start - 1
		}
		p.skip()
	default:
		p.take(p.scalar())
	}
}

// take keeps the value at the current path unless one with a better rank is known.
func (p *jsonParser) take(value []byte) {
	m, known := p.names[string(p.path)]
	if name := string(p.path); name == "agent" || name == "referrer" {
		value = unquoted(value)
	}
	if !known || m.rank >= p.rank[m.field] || isMissing(value) {
		return
	}
	p.f[m.field], p.rank[m.field] = value, m.rank
}

// unquoted removes quotes around a value. Logstash's pattern for combined logs keeps those of agent
// and referrer.
func unquoted(value []byte) []byte {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// next skips white space and returns the following byte.
func (p *jsonParser) next() byte {
	for p.text[p.at] <= ' ' {
		p.at++
	}
	return p.text[p.at]
}

// scalar reads a string, or a number as written. It returns nil for true, false and null.
func (p *jsonParser) scalar() []byte {
	start := p.at
	if p.text[start] == '"' {
		return p.quoted()
	}
	for c := p.text[p.at]; c != ',' && c != '}' && c > ' '; c = p.text[p.at] {
		p.at++
	}
	if c := p.text[start]; c == 't' || c == 'f' || c == 'n' {
		return nil
	}
	return p.text[start:p.at]
}

// quoted reads a string.
func (p *jsonParser) quoted() []byte {
	start, escaped := p.at, false
	for p.at++; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			escaped = true
			p.at++
		}
	}
	p.at++ // "
	if !escaped {
		return p.text[start+1 : p.at-1]
	}
	var s string
	if err := json.Unmarshal(p.text[start:p.at], &s); err != nil {
		return nil
	}
	return []byte(s)
}

// skip skips the list at the current position.
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

// appendName appends a name in the form that [jsonNames] uses.
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
