package loadtest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/loadtest"
	"coalmine/loadgen"
)

func withTargets(t *testing.T, text string) loadtest.Options {
	t.Helper()
	o := options(t)
	o.Plan.Targets, o.Plan.Rate, o.Plan.Duration = "targets", 0, time.Minute
	for name, data := range map[string]string{"targets": text, "body.json": `{"a": 1}`} {
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// Both formats say the same.
func TestTargets(t *testing.T) {
	want := []loadgen.Route{
		{Name: "/", Method: "GET", Path: "/"},
		{Name: "PUT /a%20b", Method: "PUT", Path: "/a%20b?q=%7Bx%7D", Body: `{"a": 1}`,
			Headers: []loadgen.Pair{{Name: "X-A", Value: "1:2"}, {Name: "X-A", Value: "3"}}},
		{Name: "/ (2)", Method: "GET", Path: "/?page=2"},
	}
	for name, text := range map[string]string{
		"http": "GET http://h:1\r\n\r\n# comment\nPUT http://h:1/a%20b?q={x}\nX-A: 1:2\n# more\nX-A: 3\n@body.json\n" +
			"GET http://h:1/?page=2\nGET http://h:1/\n\n\nGET http://h:1/\n",
		"json": `{"method":"GET","url":"http://h:1"}
{"method":"PUT","url":"http://h:1/a%20b?q={x}","header":{"X-A":["1:2","3"]},"body":"eyJhIjogMX0="}

{"method":"GET","url":"http://h:1/?page=2"}
{"method":"GET","url":"http://h:1/"}
{"method":"GET","url":"http://h:1/"}
`,
	} {
		p := newTest(t, "", withTargets(t, text)).Plan()
		if !slices.EqualFunc(p.Routes(), want, func(a, b loadgen.Route) bool {
			return a.Name == b.Name && a.Method == b.Method && a.Path == b.Path && a.Body == b.Body &&
				slices.Equal(a.Headers, b.Headers)
		}) {
			t.Errorf("%s: routes %+v, want %+v", name, p.Routes(), want)
		}
		if mix := p.Cohorts()[0].Mix; len(mix) != 3 || mix["/"] != 3 || mix["/ (2)"] != 1 {
			t.Errorf("%s: mix %v", name, mix)
		}
	}
}

func TestTargetsAreRejectedByLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "targets has no target",
		"# nothing\n":              "targets has no target",
		"get http://h/":            `targets:1: "get http://h/" is not a target`,
		"GET http://h/\n\nGET /x":  `targets:3: "/x" is not a URL`,
		"GET http://h/\nno header": `targets:2: "no header" is not a header`,
		`{"method":"PUT","url":"http://h","body":"e2l0ZW19"}`:           "targets:1: a body contains {item}",
		"GET http://h/\n@none":                                          "targets:2: body: ",
		"GET http://h/\nGET https://h/":                                 "targets:2: the target is at https://h,",
		"GET http://h/\ncookie: a=b":                                    "targets:1: a target has a Cookie header",
		`{"method":"GET","url":"http://h"`:                              "targets:1: unexpected end of JSON",
		`{"method":"GET","url":"http://h"}` + "\n" + `{"method":"GET"}`: `targets:2: "" is not a URL`,
		`{"method":"","url":"http://h"}`:                                `targets:1: "" is not a method`,
	} {
		_, err := loadtest.New(t.Context(), "", withTargets(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}
