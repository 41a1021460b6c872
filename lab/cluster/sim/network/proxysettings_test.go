package network

import (
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
