package network

import (
	"net"
	"net/url"
	"strings"
	"testing"
)

// net/http reads the proxy settings once. A process that read others before must not play a run.
func TestForeignProxySettingsAreAnError(t *testing.T) {
	if _, err := Install(); err != nil {
		t.Fatal(err)
	}
	err := checkProxySettings(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "before the lab could set them") {
		t.Errorf("error %v with foreign proxy settings", err)
	}
}

// A lab that cannot connect to itself must not judge guardrails.
func TestNoLoopbackIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkLoopback(l.Addr().String()); err != nil {
		t.Errorf("error %v with loopback", err)
	}
	l.Close()
	if err := checkLoopback(l.Addr().String()); err == nil || !strings.Contains(err.Error(), "loopback interface") {
		t.Errorf("error %v", err)
	}
}
