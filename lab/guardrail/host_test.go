package guardrail

import "testing"

func TestIsAddress(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "fe80::1%eth0": true, "127.1": true, "2130706433": true,
		"0x7f000001": true, "0X7F.1": true, "0177.0.0.1": true, "10.0.0.1.": true,
		"hooks.slack.com": false, "localhost": false, "a1": false, "0x": false, "beef": false,
		"1.example.com": false, "prometheus.linkerd-viz": false, "": false, ".": false,
	} {
		if got := isAddress(host); got != want {
			t.Errorf("isAddress(%q) = %v", host, got)
		}
	}
}
