package accesslog

import (
	"bytes"
	"slices"
)

// maxFields bounds the fields of a line that are read; formats have less than 40.
const maxFields = 40

// parseEnvoy reads a line of the default text format of Envoy (documentation: Observability, Access
// logging, Default Format String) or of Istio, which adds three fields before the sizes and those of
// the connection at the end. The time is that of the request's start.
func parseEnvoy(text []byte, f *fields) lineError {
	before, rest, ok := bytes.Cut(text, []byte(`] "`))
	if !ok {
		return errEnvoy
	}
	open := bytes.LastIndexByte(before, '[')
	if open < 0 || open > 0 && (before[0] != '[' || !bytes.HasSuffix(before[:open], []byte("] "))) {
		return errEnvoy // what precedes can only be the pod's name, as kubectl logs --prefix writes it
	}
	request, rest, ok := quoted(rest)
	if !ok {
		return errEnvoy
	}
	all, ok := split(rest)
	if !ok {
		return errEnvoy
	}
	f.set(fieldTime, before[open+1:])
	f.set(fieldRequest, request)
	const (
		common    = 6 + 5 // status, flags, sizes, duration, upstream time; five quoted fields
		istio     = common + 3
		istioPeer = istio + 3 // cluster, local addresses, then the client's
	)
	size, forwarded := 3, 6
	switch {
	case len(all) >= istio && all[4].quoted && all[9].quoted:
		size, forwarded = size+3, forwarded+3
		if len(all) > istioPeer {
			f.set(fieldClient, all[istioPeer].text)
		}
	case len(all) < common || !all[6].quoted:
		return errEnvoy
	}
	f.set(fieldStatus, all[0].text)
	f.set(fieldBytes, all[size].text)
	if address := firstAddress(all[forwarded].text); address != nil {
		f.set(fieldClient, address)
	}
	f.set(fieldAgent, all[forwarded+1].text)
	return ""
}

// typesALB are the first fields of the lines of an Application Load Balancer.
var typesALB = [...]string{"http", "https", "h2", "grpcs", "ws", "wss"}

// Fields of a line of an Application Load Balancer.
const (
	albTime    = 1
	albClient  = 3
	albStatus  = 8
	albSent    = 11
	albRequest = 12
	albAgent   = 13
	albBegin   = 21 // when the request came; the time before it is that of the response
)

// parseALB reads a line of an Application Load Balancer of AWS (documentation: Access logs for your
// Application Load Balancer, Access log entries).
func parseALB(text []byte, f *fields) lineError {
	all, ok := split(text)
	if !ok || len(all) <= albAgent || !slices.Contains(typesALB[:], string(all[0].text)) || !all[albRequest].quoted {
		return errALB
	}
	if bytes.HasPrefix(all[albRequest].text, []byte("- ")) {
		return errHTTP // the client sent something else
	}
	f.set(fieldTime, all[albTime].text)
	if len(all) > albBegin && !all[albBegin].quoted {
		f.set(fieldTime, all[albBegin].text)
	}
	f.set(fieldClient, all[albClient].text)
	f.set(fieldStatus, all[albStatus].text)
	f.set(fieldBytes, all[albSent].text)
	f.set(fieldRequest, all[albRequest].text)
	f.set(fieldAgent, all[albAgent].text)
	return ""
}

// isALB reports whether a line begins like those of an Application Load Balancer.
func isALB(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte{' '})
	return slices.Contains(typesALB[:], string(first))
}

// field is one field of a line, without its quotes.
type field struct {
	text   []byte
	quoted bool
}

// split splits a text at its spaces, outside quotes. It returns false if a quote is not closed.
func split(text []byte) ([]field, bool) {
	var all []field
	for len(all) < maxFields {
		text = bytes.TrimLeft(text, " ")
		if len(text) == 0 {
			break
		}
		if text[0] == '"' {
			value, rest, ok := quoted(text[1:])
			if !ok {
				return nil, false
			}
			all, text = append(all, field{text: value, quoted: true}), rest
			continue
		}
		value, rest, _ := bytes.Cut(text, []byte{' '})
		all, text = append(all, field{text: value}), rest
	}
	return all, true
}
