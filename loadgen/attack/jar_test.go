package attack

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// visit sends a request of a user with the plan's cookies and lets the server set others. It
// returns what was sent.
func visit(j *jar, user uint32, to, planned string, set ...string) string {
	req, err := http.NewRequest("GET", to, nil)
	if err != nil {
		panic(err)
	}
	if planned != "" {
		req.Header[cookieHeader] = []string{planned}
	}
	j.apply(user, req)
	j.store(user, req, &http.Response{Header: http.Header{"Set-Cookie": set}})
	return strings.Join(req.Header[cookieHeader], "|")
}

func TestJar(t *testing.T) {
	const planned = "a=1; b=2; c=3"
	for name, test := range map[string]struct {
		from    string
		set     []string
		to      string
		want    string
		elapsed time.Duration
	}{
		"nothing set":           {to: "http://shop/", want: planned},
		"a new one":             {set: []string{"d=4"}, want: planned + "; d=4"},
		"in place of a planned": {set: []string{"b=x"}, want: "a=1; b=x; c=3"},
		"a planned taken away":  {set: []string{"b=; Max-Age=0"}, want: "a=1; c=3"},
		"the last word counts":  {set: []string{"b=x", "b=y", "d=4", "d=5"}, want: "a=1; b=y; c=3; d=5"},
		"taken away and given":  {set: []string{"b=; Max-Age=0", "b=z"}, want: "a=1; b=z; c=3"},
		"quoted":                {set: []string{`d="x y"`}, want: planned + `; d="x y"`},
		"not over yet": {set: []string{"d=4; Max-Age=60"}, elapsed: 59 * time.Second,
			want: planned + "; d=4"},
		"over":         {set: []string{"d=4; Max-Age=60"}, elapsed: 60 * time.Second, want: planned},
		"over by date": {set: []string{"d=4; Expires=Thu, 01 Jan 1970 00:00:10 GMT"}, want: planned},
		"age goes before date": {set: []string{"d=4; Expires=Thu, 01 Jan 1970 00:00:10 GMT; Max-Age=9"},
			want: planned + "; d=4"},
		"path fits": {set: []string{"d=4; Path=/cart"}, to: "http://shop/cart/1",
			want: planned + "; d=4"},
		"path does not": {set: []string{"d=4; Path=/cart"}, to: "http://shop/carton", want: planned},
		"path by default": {from: "http://shop/cart/1", set: []string{"d=4"}, to: "http://shop/",
			want: planned},
		"path by default fits": {from: "http://shop/cart/1", set: []string{"d=4"}, to: "http://shop/cart/2",
			want: planned + "; d=4"},
		"longer paths first": {set: []string{"d=4; Path=/", "e=5; Path=/cart"}, to: "http://shop/cart",
			want: planned + "; e=5; d=4"},
		"another host": {set: []string{"d=4", "b=x"}, to: "http://other/", want: planned},
		"another port": {set: []string{"d=4"}, to: "http://shop:81/", want: planned + "; d=4"},
		"domain": {from: "http://a.shop.org/", set: []string{"d=4; Domain=shop.org"},
			to: "http://b.shop.org/", want: planned + "; d=4"},
		"no domain": {from: "http://a.shop.org/", set: []string{"d=4"}, to: "http://b.a.shop.org/",
			want: planned},
		"foreign domain": {from: "http://a.shop.org/", set: []string{"d=4; Domain=b.shop.org"},
			to: "http://b.shop.org/", want: planned},
		"top domain": {from: "http://shop.org/", set: []string{"d=4; Domain=org"},
			to: "http://other.org/", want: planned},
		"address as domain": {from: "http://127.0.0.1/", set: []string{"d=4; Domain=127.0.0.1"},
			to: "http://127.0.0.1/", want: planned + "; d=4"},
		"end of an address": {from: "http://127.0.0.1/", set: []string{"d=4; Domain=0.0.1"},
			to: "http://127.0.0.1/", want: planned},
		"secure on plain": {from: "https://shop/", set: []string{"d=4; Secure"}, to: "http://shop/",
			want: planned},
		"secure on secure": {from: "https://shop/", set: []string{"d=4; Secure"}, to: "https://shop/",
			want: planned + "; d=4"},
		"nonsense":                {set: []string{"", "=", ";;;", "no value", "b\x00=1"}, want: planned},
		"too long":                {set: []string{"d=" + strings.Repeat("x", maxCookieBytes)}, want: planned},
		"another case of a host":  {from: "http://SHOP/", set: []string{"d=4"}, want: planned + "; d=4"},
		"a name that begins like": {set: []string{"aa=1"}, want: planned + "; aa=1"},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			j := newJar()
			j.now = func() time.Time { return now }
			from, to := test.from, test.to
			if from == "" {
				from = "http://shop/"
			}
			if to == "" {
				to = "http://shop/"
			}
			visit(j, 7, from, planned, test.set...)
			now = now.Add(test.elapsed)
			if got := visit(j, 7, to, planned); got != test.want {
				t.Errorf("sent %q, not %q", got, test.want)
			}
			if got := visit(j, 8, to, planned); got != planned {
				t.Errorf("another user sent %q", got)
			}
		})
	}
	j := newJar()
	visit(j, 1, "http://shop/", "a=1", "a=; Max-Age=0")
	if got := visit(j, 1, "http://shop/", "a=1"); got != "" {
		t.Errorf("a user without cookies sent %q", got)
	}
}

// TestJarMatchesTheStandardLibrary plays visits of one user without planned cookies to
// net/http/cookiejar too.
func TestJarMatchesTheStandardLibrary(t *testing.T) {
	urls := []string{"http://shop.org/", "https://shop.org/cart/1", "http://a.shop.org/cart",
		"http://a.shop.org/cart/x/y", "http://127.0.0.1:80/"}
	rapid.Check(t, func(r *rapid.T) {
		j := newJar()
		std, err := cookiejar.New(nil)
		if err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(r, "visits") {
			to := rapid.SampledFrom(urls).Draw(r, "url")
			u, _ := url.Parse(to)
			line := fmt.Sprintf("%s=%d", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "name"),
				rapid.IntRange(0, 99).Draw(r, "value"))
			for _, more := range []string{"; Path=/", "; Path=/cart", "; Domain=shop.org", "; Domain=a.shop.org",
				"; Max-Age=0", "; Max-Age=999", "; Secure"} {
				if rapid.IntRange(0, 3).Draw(r, more) == 0 {
					line += more
				}
			}
			got := strings.Split(visit(j, 1, to, "", line), "; ")
			var want []string
			for _, c := range std.Cookies(u) {
				want = append(want, c.Name+"="+c.Value)
			}
			std.SetCookies(u, (&http.Response{Header: http.Header{"Set-Cookie": {line}}}).Cookies())
			// Cookies of one name can differ in path. Like this jar, cookiejar orders equal paths
			// by time.
			slices.Sort(got)
			slices.Sort(want)
			if strings.Join(got, "; ") != strings.Join(want, "; ") {
				r.Fatalf("to %s went %q, not %q", to, got, want)
			}
		}
	})
}

func TestJarIsBounded(t *testing.T) {
	j := newJar()
	j.limit = 10
	for user := range uint32(100) {
		visit(j, user, "http://shop/", "", "a=1")
		visit(j, 0, "http://shop/", "", "") // returns again and again
		if n := len(j.young) + len(j.old); n > 20 {
			t.Fatalf("%d users are kept", n)
		}
	}
	if got := visit(j, 0, "http://shop/", ""); got != "a=1" {
		t.Errorf("who came all the time sends %q", got)
	}
	if got := visit(j, 50, "http://shop/", ""); got != "" {
		t.Errorf("who came long ago sends %q", got)
	}
	for i := range 200 {
		visit(j, 1, "http://shop/", "", fmt.Sprintf("c%03d=x", i))
	}
	got := strings.Split(visit(j, 1, "http://shop/", ""), "; ")
	if len(got) != maxUserCookies || got[0] != "c150=x" || got[maxUserCookies-1] != "c199=x" {
		t.Errorf("%d cookies are kept, from %s", len(got), got[0])
	}
	visit(j, 1, "http://shop/", "", "c175=; Max-Age=0", "new=y")
	if got := visit(j, 1, "http://shop/", ""); !strings.HasPrefix(got, "c150=x") || !strings.Contains(got, "new=y") {
		t.Errorf("a cookie that is over did not make room: %q", got)
	}
}

func BenchmarkJar(b *testing.B) {
	req, _ := http.NewRequest("GET", "http://shop/", nil)
	for name, users := range map[string]int{"unused": 0, "others": 1000, "own": 1} {
		b.Run(name, func(b *testing.B) {
			j := newJar()
			for user := range users {
				visit(j, uint32(user), "http://shop/", "", "sid=1")
			}
			user := uint32(users - min(users, 1))
			if name == "others" {
				user = 5000
			}
			b.ReportAllocs()
			for b.Loop() {
				j.apply(user, req)
			}
		})
	}
}
