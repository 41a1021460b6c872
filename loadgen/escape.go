package loadgen

import "strings"

// EscapeTarget escapes a plan's target so that it is always a valid path and query of the base
// URL's host: logs contain what clients sent, which may be anything. A valid target is returned
// unchanged.
func EscapeTarget(target string) string {
	ok := strings.HasPrefix(target, "/")
	for i := 0; ok && i < len(target); i++ {
		ok = isAllowedByte(target, i)
	}
	if ok {
		return target
	}
	var b strings.Builder
	if !strings.HasPrefix(target, "/") {
		b.WriteByte('/')
	}
	for i := range len(target) {
		if c := target[i]; isAllowedByte(target, i) {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// isAllowedByte reports whether byte i of a target may appear unescaped in a path or query (RFC
// 3986, sections 3.3 and 3.4).
func isAllowedByte(target string, i int) bool {
	switch c := target[i]; {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '/', 'A' <= c && c <= 'Z':
		return true
	case c == '%':
		return i+2 < len(target) && isHex(target[i+1]) && isHex(target[i+2])
	default:
		return strings.IndexByte("-._~!$&'()*+,;=:@?", c) >= 0
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
