package loadgen

import (
	"net/url"
	"strings"
	"testing"
)

func TestEscapeTarget(t *testing.T) {
	for target, want := range map[string]string{
		"/":                       "/",
		"/a/b?c=d&e=%20f":         "/a/b?c=d&e=%20f",
		"/~user/(x);v=1,2:3@4!$'": "/~user/(x);v=1,2:3@4!$'",
		"":                        "/",
		"*":                       "/*",
		"?q":                      "/?q",
		"http://elsewhere/x":      "/http://elsewhere/x",
		"@elsewhere/x":            "/@elsewhere/x",
		":8080/x":                 "/:8080/x",
		"/100%":                   "/100%25",
		"/100%2":                  "/100%252",
		"/%zz":                    "/%25zz",
		"/a b#c":                  "/a%20b%23c",
		"/é\x00\n\"<>\\^`{|}[]":   "/%C3%A9%00%0A%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D",
	} {
		if got := EscapeTarget(target); got != want {
			t.Errorf("%q became %q, not %q", target, got, want)
		}
	}
}

// FuzzEscapeTarget checks that every target is a URL of the intended host and is sent unchanged.
func FuzzEscapeTarget(f *testing.F) {
	for _, seed := range []string{"/a?b#c", "//elsewhere/", "http://elsewhere/", "%", "/%41", "\x00", "/..//./é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got := EscapeTarget(target)
		u, err := url.Parse("http://shop:80/base" + got + "#17")
		if err != nil {
			t.Fatalf("%q became %q: %v", target, got, err)
		}
		if u.Host != "shop:80" || u.Fragment != "17" || u.User != nil || u.RequestURI() != "/base"+got {
			t.Errorf("%q became %q, which leads to %q of %q", target, got, u.RequestURI(), u.Host)
		}
		if EscapeTarget(got) != got || !strings.HasPrefix(got, "/") {
			t.Errorf("%q became %q, which is not clean", target, got)
		}
	})
}
