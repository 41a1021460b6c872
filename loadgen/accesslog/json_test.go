package accesslog

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzJSONFields compares the manual walk with one that uses encoding/json.
func FuzzJSONFields(f *testing.F) {
	for _, text := range []string{
		`{"a":[{"b":"]"}],"url":{"path":"/p\u00e4th","x":{}},"method":"GET","ts":"x"}`,
		`{ "path" : "/x" , "n":-1.5e3 , "method":"GET","ts" : 12e3 , "user":"\"}" }`,
		`{"request":{"headers":{"User-Agent":["a","b"],"Referer":[ "r" ]}},"uri":"-","path":"/x","method":null,"ts":[7],"verb":true}`,
		`{"path":"/x","uri":"-","client":"a","remote_addr":""}`,
		`{"size":1,"size":2,"bytes":3,"a":{"b":{"c":{"d":{"e":[[[{}]]]}}}},"http":{"request":{"method":{"x":"y"}}}}`,
		`{"":"","\u0070ath":"/","path":{"":[]},"http":{"response":{"body":{"bytes":1},"status_code":2}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.TrimSpace(text)
		if len(text) == 0 || !utf8.Valid(text) { // encoding/json replaces invalid UTF-8
			return
		}
		var got, want fields
		p := newJSONParser()
		why := p.parse(text, &got)
		if valid := json.Valid(text) && text[0] == '{'; valid != (why != errJSON) {
			t.Fatalf("valid is %v and the fault %q", valid, why)
		}
		if why == errJSON {
			return
		}
		r := reference{names: p.names, f: &want}
		r.walk(text, "", 0)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the fields differ (-want +got):\n%s", diff)
		}
	})
}

// reference walks an object with encoding/json.
type reference struct {
	names map[string]jsonField
	rank  [fieldCount]int
	f     *fields
}

func (r *reference) walk(text json.RawMessage, path string, depth int) {
	switch text[0] {
	case '{':
		d := json.NewDecoder(bytes.NewReader(text))
		for d.Token(); d.More(); {
			name, _ := d.Token()
			var value json.RawMessage
			d.Decode(&value)
			below := string(appendName(nil, []byte(name.(string))))
			if depth > 0 && path != "" {
				below = path + "." + below
			}
			r.walk(value, below, depth+1)
		}
	case '[':
		if len(text) > 1 && text[1] == '"' {
			var list []any
			json.Unmarshal(text, &list)
			r.take(path, list[0].(string))
		}
	case '"':
		var s string
		json.Unmarshal(text, &s)
		r.take(path, s)
	case 't', 'f', 'n':
	default:
		r.take(path, string(text))
	}
}

func (r *reference) take(path, value string) {
	m, known := r.names[path]
	if !known || value == "" || value == "-" {
		return
	}
	if r.f[m.field] == nil || m.rank < r.rank[m.field] {
		r.f[m.field], r.rank[m.field] = []byte(value), m.rank
	}
}
