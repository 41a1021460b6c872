package dataplane

import (
	"math"
	"strconv"
	"testing"
	"time"

	"coalmine/lab/mesh"
)

func TestMaxAge(t *testing.T) {
	for attributes, want := range map[string]time.Duration{
		"":                        0,
		" Path=/; HttpOnly":       0,
		" Max-Age=5":              5 * time.Second,
		" path=/; MAX-AGE=5":      5 * time.Second,
		" Max-Age=0":              -1,
		" Max-Age=-3":             -1,
		" Max-Age=soon":           0,
		" Max-Age=" + maxInt():    maxCookieAge,
		" Max-Age=9999999999":     maxCookieAge,
		" Max-Age=5; Max-Age=7":   5 * time.Second,
		" Something=9; Max-Age=1": time.Second,
	} {
		if got := maxAge(attributes); got != want {
			t.Errorf("maxAge(%q) = %v, want %v", attributes, got, want)
		}
	}
}

// maxInt is the greatest age that can be written into a Canary.
func maxInt() string { return strconv.Itoa(math.MaxInt) }

// What a client keeps and sends, as the jar of the traffic pods (package loadgen/attack) and browsers
// do: RFC 6265, sections 5.1.4, 5.3 and 5.4.
func TestCookieAttributes(t *testing.T) {
	for set, c := range map[string]struct {
		from           string // path of the request that it answers
		sent, withheld []string
		drops          bool
	}{
		"a=1": {from: "/", sent: []string{"/", "", "/api/pay"}},
		"a=2": {from: "/api/pay", sent: []string{"/api", "/api/x"},
			withheld: []string{"/", "/apix"}},
		"a=3; Path=/": {from: "/api/pay", sent: []string{"/", "/x"}},
		"a=4; Max-Age=9; path=/admin": {from: "/", sent: []string{"/admin", "/admin/x"},
			withheld: []string{"/", "/x"}},
		"a=5; Path=admin": {from: "/api/pay", sent: []string{"/api/x"},
			withheld: []string{"/admin"}},
		"a=6; Domain=other.example":                         {from: "/", drops: true},
		"a=7; Domain=develop":                               {from: "/", drops: true},
		"a=8; Domain=.shop.develop; HttpOnly; SameSite=Lax": {from: "/", sent: []string{"/"}},
		"a=9; Secure":                                       {from: "/", drops: true},
	} {
		list := setCookies(mesh.HeaderFilter{Add: []mesh.Header{{Name: "set-cookie", Value: set}}})
		if len(list) != 1 {
			t.Fatalf("%s: %d cookies", set, len(list))
		}
		kept, ok := list[0].from("shop.develop", c.from)
		if ok == c.drops {
			t.Errorf("%s: kept: %v", set, ok)
		}
		for _, path := range c.sent {
			if !kept.sentTo("shop.develop", path) || kept.sentTo("other.develop", path) {
				t.Errorf("%s: to %q: %v, to another host: %v", set, path, kept.sentTo("shop.develop", path),
					kept.sentTo("other.develop", path))
			}
		}
		for _, path := range c.withheld {
			if kept.sentTo("shop.develop", path) {
				t.Errorf("%s is sent to %q", set, path)
			}
		}
	}
}
