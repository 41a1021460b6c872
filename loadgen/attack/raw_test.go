package attack_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// TestRawResultsMatchVegeta compares them with those of vegeta's own attack on the same servers.
func TestRawResultsMatchVegeta(t *testing.T) {
	leakFree(t)
	answer := func(status int, text string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Date", "never")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		})
	}
	bases := map[string]string{
		"ok": answer(200, "thirteen bytes"), "gone": answer(404, "no"), "moved": answer(302, ""),
		"broken":  answer(500, ""),
		"refused": "http://127.0.0.1:1", "cut": listen(t,
			answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", end)),
	}
	for name, base := range bases {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				p := newPlan(t, one(400, method), 20*time.Millisecond)
				var got []*vegeta.Result
				var outcomes []loadgen.Outcome
				a := attack.Attack{Plan: p, Targets: at(t, p, base), Raw: func(r *vegeta.Result) {
					got = append(got, r)
				}}
				outcomes, report := play(t, a)
				want := stockResult(method, base)
				for i, r := range got {
					o := outcomes[i]
					if !r.Timestamp.Equal(report.Start.Add(o.Arrival.At)) || r.Latency != o.Latency ||
						int64(r.BytesIn) != o.BytesIn {
						t.Errorf("%+v of %+v", r, o)
					}
					if r.Attack != "all" || strings.Contains(r.URL, "#") {
						t.Errorf("%+v", r)
					}
					if diff := cmp.Diff(common(want), common(r)); diff != "" {
						t.Fatalf("vegeta's result against ours:\n%s", diff)
					}
				}
				slices.SortFunc(got, func(a, b *vegeta.Result) int { return int(a.Seq) - int(b.Seq) })
				for i, r := range got {
					if r.Seq != uint64(i) {
						t.Errorf("result %d has number %d", i, r.Seq)
					}
				}
				encodeAndDecode(t, got)
			})
		}
	}
}

// common removes the fields that differ intentionally.
func common(r *vegeta.Result) vegeta.Result {
	c := *r
	c.Attack, c.Seq, c.Timestamp, c.Latency, c.BytesIn, c.Body = "", 0, time.Time{}, 0, 0, nil
	return c
}

// stockResult returns vegeta's result of one request.
func stockResult(method, base string) *vegeta.Result {
	target := vegeta.Target{Method: method, URL: base + "/"}
	if method == "POST" {
		target.Body = []byte(`{"user":0,"item":0}`)
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	once := vegeta.PacerFunc(func(_ time.Duration, hits uint64) (time.Duration, bool) { return 0, hits == 1 })
	var result *vegeta.Result
	attacker := vegeta.NewAttacker(vegeta.Client(&client), vegeta.Workers(1))
	for r := range attacker.Attack(vegeta.NewStaticTargeter(target), rated{once}, 0, "") {
		result = r
	}
	return result
}

// rated adapts a function to a pacer.
type rated struct{ vegeta.PacerFunc }

func (rated) Rate(time.Duration) float64 { return 0 }

func encodeAndDecode(t *testing.T, results []*vegeta.Result) {
	t.Helper()
	var buf bytes.Buffer
	encode := vegeta.NewEncoder(&buf)
	for _, r := range results {
		if err := encode(r); err != nil {
			t.Fatal(err)
		}
	}
	decode := vegeta.NewDecoder(&buf)
	for _, want := range results {
		var r vegeta.Result
		if err := decode(&r); err != nil || !r.Equal(*want) {
			t.Fatalf("%+v became %+v: %v", want, r, err)
		}
	}
}
