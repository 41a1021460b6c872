package accesslog

import (
	"bytes"
	"net/netip"
	"strings"
)

// parseCLF reads a line of the common or combined format, as written by the Apache HTTP server and
// nginx. It also accepts the variants of Traefik and of Linkerd's proxy, which writes no size, and
// lines with the server's name before the client's.
func parseCLF(text []byte, combined bool, f *fields) lineError {
	before, rest, ok := bytes.Cut(text, []byte(`] "`))
	if !ok {
		return errCLF
	}
	open := bytes.LastIndex(before, []byte(" ["))
	if open < 0 {
		return errCLF
	}
	before, at := before[:open], before[open+2:]
	request, rest, ok := quoted(rest)
	if !ok {
		return errCLF
	}
	status, rest := word(rest)
	size, rest := word(rest)
	if status == nil {
		return errCLF
	}
	if !f.identity(before) {
		return errPrefix
	}
	f.set(fieldTime, at)
	f.set(fieldRequest, request)
	f.set(fieldStatus, status)
	f.set(fieldBytes, size)
	if !combined {
		return ""
	}
	referer, rest, ok := afterSpace(rest)
	if !ok {
		return errCombined
	}
	agent, rest, ok := afterSpace(rest)
	if !ok {
		return errCombined
	}
	f.set(fieldClient, forwarded(rest))
	f.set(fieldReferer, referer)
	f.set(fieldAgent, agent)
	return ""
}

// identity splits the text before the time into client, identity and user. User names may contain
// spaces. It returns false if the text starts with an unknown prefix.
func (f *fields) identity(text []byte) bool {
	client, rest, _ := bytes.Cut(bytes.TrimPrefix(text, []byte{'"'}), []byte{' '})
	for bytes.HasSuffix(client, []byte{','}) { // a list of addresses: the first one is the client
		_, rest, _ = bytes.Cut(rest, []byte{' '})
		client = client[:len(client)-1]
	}
	client = bytes.TrimSuffix(client, []byte{'"'})
	second, after, ok := bytes.Cut(rest, []byte{' '})
	if n := len(second); n > 2 && second[0] == '(' && second[n-1] == ')' { // the address of a proxy
		rest = after
		second, after, ok = bytes.Cut(rest, []byte{' '})
	}
	identity, _, three := bytes.Cut(after, []byte{' '})
	if ok && three && (isAddress(second) && (!isAddress(client) || isMissing(identity)) || !isMissing(second) &&
		isMissing(identity)) {
		client, rest = second, after // the first field was the server's name
	}
	identity, user, _ := bytes.Cut(rest, []byte{' '})
	if isMissing(identity) && bytes.HasPrefix(user, []byte{'['}) {
		if _, rest, ok := bytes.Cut(user, []byte("] - ")); ok { // ingress-nginx before 0.26
			user = rest
		}
	}
	if bytes.HasSuffix(client, []byte{':'}) && !bytes.Equal(client, []byte("unix:")) ||
		bytes.Contains(user, []byte(" - -")) {
		return false
	}
	f.set(fieldClient, client)
	f.set(fieldUser, user)
	if f[fieldUser] == nil {
		f.set(fieldUser, identity) // Linkerd's proxy writes the client's identity there
	}
	return true
}

// forwarded returns the first address of X-Forwarded-For in the fields after the user agent, or nil.
// nginx's image writes it next, other formats later; some write a name before the quoted value.
// Addresses of upstreams have ports.
func forwarded(rest []byte) []byte {
	for {
		before, after, ok := bytes.Cut(rest, []byte{'"'})
		if !ok {
			return nil
		}
		var value []byte
		if value, rest, ok = quoted(after); !ok {
			return nil
		}
		name := bytes.ToLower(before[bytes.LastIndexByte(before, ' ')+1:])
		if len(name) > 0 && !bytes.Contains(name, []byte("xff")) && !bytes.Contains(name, []byte("forwarded")) {
			continue
		}
		if address := firstAddress(value); address != nil {
			return address
		}
	}
}

// firstAddress returns the first address of a list of addresses without ports, or nil if text is
// something else. Proxies write "unknown" for a client without an address (RFC 7239, section 6.2).
func firstAddress(text []byte) []byte {
	var first []byte
	for one := range bytes.SplitSeq(text, []byte{','}) {
		one = bytes.TrimSpace(one)
		if bytes.EqualFold(one, []byte("unknown")) {
			continue
		}
		if _, err := netip.ParseAddr(string(one)); err != nil {
			return nil
		}
		if first == nil {
			first = one
		}
	}
	return first
}

func isAddress(text []byte) bool {
	_, err := netip.ParseAddr(string(host(text)))
	return err == nil
}

// word returns the text up to the next space, or nil if there is none.
func word(text []byte) (first, rest []byte) {
	text = bytes.TrimLeft(text, " ")
	end := bytes.IndexByte(text, ' ')
	switch {
	case len(text) == 0 || text[0] == '"': // a quoted field follows, so this one is missing
		return nil, text
	case end < 0:
		return text, nil
	}
	return text[:end], text[end:]
}

// afterSpace reads a quoted field that follows a space.
func afterSpace(text []byte) (value, rest []byte, ok bool) {
	text, ok = bytes.CutPrefix(bytes.TrimLeft(text, " "), []byte{'"'})
	if !ok {
		return nil, nil, false
	}
	return quoted(text)
}

// quoted reads up to the closing quote. Quotes and control characters inside are escaped by a
// backslash.
func quoted(text []byte) (value, rest []byte, ok bool) {
	escaped := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if escaped {
				return unescape(text[:i]), text[i+1:], true
			}
			return text[:i], text[i+1:], true
		}
	}
	return nil, nil, false
}

// unescape decodes the escapes of the Apache HTTP server and of nginx: \xHH, \", \\ and those of C.
// Others are kept as they are.
func unescape(text []byte) []byte {
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			plain = append(plain, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case '"', '\\':
			plain = append(plain, c)
		case 'n', 't', 'r', 'b', 'v', 'f':
			plain = append(plain, "\n\t\r\b\v\f"[strings.IndexByte("ntrbvf", c)])
		case 'x':
			if i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
				plain = append(plain, unhex(text[i+1])<<4|unhex(text[i+2]))
				i += 2
				continue
			}
			fallthrough
		default:
			plain = append(plain, '\\', c)
		}
	}
	return plain
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}
