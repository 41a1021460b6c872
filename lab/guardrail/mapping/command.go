package mapping

import (
	"net/url"
	"regexp"
	"strings"
)

// addressPattern matches what can be a host name with or without a port in a command line.
var addressPattern = regexp.MustCompile(`(//)?[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*(:[0-9]+)?`)

// command maps the addresses in a command of a load tester. A single word without a port is an
// address only in a URL.
func (n *Names) command(text string) string {
	viaGateway := n.usesGateway(text)
	return addressPattern.ReplaceAllStringFunc(text, func(word string) string {
		address, isURL := strings.CutPrefix(word, "//")
		prefix := word[:len(word)-len(address)]
		name, _, hasPort := strings.Cut(address, ":")
		if to, ok := n.hosts[name]; ok {
			if isURL {
				return prefix + n.apex(to)
			}
			return prefix + to
		}
		if !isURL && !hasPort && !strings.Contains(name, ".") {
			return word
		}
		if to, ok := n.host(address); ok {
			if isURL && !hasPort {
				to += n.defaultPort(name)
			}
			return prefix + to
		}
		if isURL && viaGateway != "" {
			return prefix + n.apex(viaGateway)
		}
		return word
	})
}

// defaultPort returns what a URL of HTTP without a port needs after the host, because the lab's Service
// has another port than 80 where the user's has that.
func (n *Names) defaultPort(host string) string {
	label, _, _ := strings.Cut(host, ".")
	service, _ := n.service(label)
	if to := n.servicePorts[service]["80"]; to != "" && to != "80" {
		return ":" + to
	}
	return ""
}

// usesGateway returns the lab's host for a command that names a host of the gateway's users outside
// of a URL, as a header: its URL is then that of the gateway.
func (n *Names) usesGateway(text string) string {
	for _, at := range addressPattern.FindAllStringIndex(text, -1) {
		word := text[at[0]:at[1]]
		name, _, _ := strings.Cut(word, ":")
		if to, ok := n.hosts[name]; ok {
			return to
		}
	}
	return ""
}

// apex adds the port to the host of one of the lab's Services.
func (n *Names) apex(host string) string {
	service, _, _ := strings.Cut(host, ".")
	for _, to := range n.servicePorts[service] {
		return host + ":" + to
	}
	return host
}

// hostOf returns the host name of a URL.
func hostOf(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", false
	}
	return u.Hostname(), true
}
