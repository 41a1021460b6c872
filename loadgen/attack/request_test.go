package attack

import (
	"net/http"
	"reflect"
	"testing"

	"coalmine/loadgen"
)

func TestHeader(t *testing.T) {
	pairs := []loadgen.Pair{{Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"},
		{Name: "content-type", Value: "text/plain"}}
	want := http.Header{"X-A": {"1", "2"}, "Content-Type": {"text/plain"}}
	if got := header(pairs, jsonType); !reflect.DeepEqual(got, want) {
		t.Errorf("headers %v, not %v", got, want)
	}
	if got := header(pairs[:0], jsonType).Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q by default", got)
	}
	if got := header(nil, ""); len(got) != 0 {
		t.Errorf("headers %v of nothing", got)
	}
}
