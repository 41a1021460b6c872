package accesslog

import (
	"bytes"
	"regexp"
)

// Prefixes that log collectors put before the line of a server: the CRI of Kubernetes and the
// timestamps of kubectl and docker, docker compose, and syslog (RFC 3164 and RFC 5424) or journald.
const (
	timestampPrefix = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d) `
	criPrefix       = timestampPrefix + `(?:(?:stdout|stderr) [FP] )?`
	composePrefix   = `[\w.-]+ *\| `
	syslogPrefix    = `(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |` + timestampPrefix +
		`)[\w.-]+ [\w./-]+(?:\[\d+\])?: `
	syslog5424 = `<\d{1,3}>1 ` + timestampPrefix + `\S+ \S+ \S+ \S+ (?:-|\[.*?\]) (?:\x{FEFF})?`
)

// collectorPrefix matches one prefix.
var collectorPrefix = regexp.MustCompile(`^(?:` + syslog5424 + `|` + syslogPrefix + `|` + criPrefix + `|` +
	composePrefix + `)`)

// withoutPrefix removes what log collectors put before a line, and zero bytes, which logrotate's
// copytruncate leaves. Most lines begin with an address and cost no match.
func withoutPrefix(text []byte) []byte {
	text = bytes.Trim(text, "\x00 \t\r\n")
	if len(text) == 0 || text[0] == '{' || text[0] == '[' {
		return text
	}
	if end := bytes.IndexByte(text, ' '); end > 0 && isAddress(text[:end]) {
		return text
	}
	return text[len(collectorPrefix.Find(text)):]
}
