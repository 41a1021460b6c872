package network

import (
	"net/url"
	"strings"
	"testing"
)

// net/http reads the proxy settings once. A process in which somebody was earlier must not play a run.
func TestAnotherProxyInForceIsAnError(t *testing.T) {
	if _, err := Install(); err != nil {
		t.Fatal(err)
	}
	err := checkProxySettings(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "before the lab began") {
		t.Errorf("error %v with the proxy of another in force", err)
	}
}
