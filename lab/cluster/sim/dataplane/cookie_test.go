package dataplane

import (
	"math"
	"strconv"
	"testing"
	"time"
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
