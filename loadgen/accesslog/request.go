package accesslog

import "bytes"

// splitRequest splits a request line into method, target and protocol. HTTP/0.9 has no protocol.
func (f *fields) splitRequest() lineError {
	line := f[fieldRequest]
	if line == nil {
		return errRequest
	}
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok && f[fieldMethod] != nil && len(line) > 0 && line[0] == '/' { // Logstash: verb and request
		f[fieldTarget], f[fieldQuery] = line, nil
		return ""
	}
	if !ok || !isMethod(method) {
		return errHTTP
	}
	target := rest
	if i := bytes.LastIndexByte(rest, ' '); i >= 0 && bytes.HasPrefix(rest[i+1:], []byte("HTTP/")) {
		target = rest[:i]
	}
	f[fieldMethod], f[fieldTarget], f[fieldQuery] = method, target, nil
	return ""
}

// isMethod reports whether text can be an HTTP method. All registered methods consist of capital
// letters and hyphens (RFC 9110, section 16.1.1); a TLS handshake sent to a plain-text port, for
// example, does not.
func isMethod(text []byte) bool {
	for _, c := range text {
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= 32
}

// target returns path and query in a form that [net/url.ParseRequestURI] accepts. It removes scheme
// and host from an absolute target, which proxies receive.
func (f *fields) target() ([]byte, lineError) {
	if !isMethod(f[fieldMethod]) {
		return nil, errHTTP
	}
	target := withoutHost(f[fieldTarget])
	if len(target) == 0 || target[0] != '/' {
		return nil, errPath
	}
	if query := bytes.TrimPrefix(f[fieldQuery], []byte{'?'}); len(query) > 0 && bytes.IndexByte(target, '?') < 0 {
		target = bytes.Join([][]byte{target, query}, []byte{'?'})
	}
	path := true
	for i, c := range target {
		switch {
		case c <= ' ' || c == 0x7f:
			return nil, errTarget
		case c == '?':
			path = false
		case c == '%' && path && !(i+2 < len(target) && isHex(target[i+1]) && isHex(target[i+2])):
			return nil, errEscape
		}
	}
	return target, ""
}

// withoutHost removes scheme and host from an absolute target.
func withoutHost(target []byte) []byte {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(target) < len(scheme) || !bytes.EqualFold(target[:len(scheme)], []byte(scheme)) {
			continue
		}
		rest := target[len(scheme):]
		i := bytes.IndexAny(rest, "/?")
		switch {
		case i < 0:
			return []byte{'/'}
		case rest[i] == '?':
			return append([]byte{'/'}, rest[i:]...)
		}
		return rest[i:]
	}
	return target
}
