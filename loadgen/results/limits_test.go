package results

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
)

// lateBy returns an outcome that was sent late.
func lateBy(d time.Duration) *loadgen.Outcome {
	return outcome(func(o *loadgen.Outcome) { o.Sent = o.Intended + d })
}

func TestLimits(t *testing.T) {
	local := func(why string) func(r *Results) { return func(r *Results) { r.Add(outcome(failure(why))) } }
	late := func(n int, d time.Duration) func(r *Results) {
		return func(r *Results) {
			for i := range 100 {
				r.Add(lateBy(map[bool]time.Duration{true: d}[i < n]))
			}
		}
	}
	for name, c := range map[string]struct {
		fill func(*Results)
		want []string
	}{
		"none":        {func(r *Results) { r.Add(outcome()); r.Add(outcome(failure(loadgen.FailureTimeout))) }, nil},
		"ports":       {local(loadgen.FailurePorts), []string{"could not send 1 attempt: no local port was free"}},
		"descriptors": {local(loadgen.FailureDescriptors), []string{"could not send 1 attempt: too many open files"}},
		"memory":      {local(loadgen.FailureMemory), []string{"could not send 1 attempt: the kernel had no memory"}},
		"few late":    {late(9, time.Hour), nil},
		"little late": {late(100, 90*time.Millisecond), nil},
		"late": {late(11, 3*time.Second), []string{"sent a tenth of the requests 3s late or later: this " +
			"machine could not keep up"}},
		"no workers": {func(r *Results) { r.Run = Run{Workers: 7, Peak: 7, Saturated: true}; late(50, time.Second)(r) },
			[]string{"all 7 workers were busy"}},
		"busy workers in time": {func(r *Results) {
			r.Run = Run{Workers: 7, Peak: 7, Saturated: true}
			late(0, 0)(r)
		}, nil},
		"two": {func(r *Results) { local(loadgen.FailurePorts)(r); local(loadgen.FailureDescriptors)(r) },
			[]string{"too many open files", "no local port"}},
	} {
		r := newShop(t, loadgen.Shard{})
		c.fill(r)
		for _, r := range []*Results{r, reread(t, r)} {
			got := r.Limits()
			if len(got) != len(c.want) {
				t.Errorf("%s: limits %+v, want %q", name, got, c.want)
				continue
			}
			for i, l := range got {
				if !strings.Contains(l.Text, c.want[i]) || l.Advice == "" {
					t.Errorf("%s: limit %+v, want %q", name, l, c.want[i])
				}
			}
		}
	}
}

func TestAttemptsThatWereNotSentAreNotCounted(t *testing.T) {
	r := newShop(t, loadgen.Shard{})
	r.Add(outcome(failure(loadgen.FailurePorts)))
	if all := r.Sum(nil); all.Requests+all.Attempts+all.Bad != 0 || r.Lag.Count() != 0 ||
		r.NotSent[loadgen.FailurePorts] != 1 {
		t.Errorf("counted as %+v, not sent %v", plain(all), r.NotSent)
	}
}

func TestErrorTextsAreBounded(t *testing.T) {
	r := newShop(t, loadgen.Shard{})
	for i := range 30 {
		r.Add(outcome(failure(loadgen.FailureOther), func(o *loadgen.Outcome) {
			o.Detail = fmt.Sprintf("error %d", i)
		}))
	}
	if len(r.Errors) != maxErrorTexts+1 || r.Errors["error 0"] != 1 || r.Errors[otherErrors] != 10 {
		t.Errorf("errors %v", r.Errors)
	}
	reread(t, r)
}

func TestStatuses(t *testing.T) {
	r := newShop(t, loadgen.Shard{})
	for _, s := range []uint16{200, 200, 404, 403, 500} {
		r.Add(outcome(status(s)))
	}
	r.Add(outcome(failure(loadgen.FailureReset)))
	for _, r := range []*Results{r, reread(t, r)} {
		all := r.Sum(nil)
		for _, c := range []struct {
			low, high uint16
			want      int64
		}{{200, 299, 2}, {400, 499, 2}, {404, 404, 1}, {500, 599, 1}, {300, 399, 0}} {
			if n, known := all.Answered(c.low, c.high); n != c.want || !known {
				t.Errorf("%d to %d: %d (known: %v), want %d", c.low, c.high, n, known, c.want)
			}
		}
	}
}

// A document of format 1 has no statuses, so a sum with it has none either.
func TestOldDocument(t *testing.T) {
	r := newShop(t, loadgen.Shard{Index: 1, Count: 2})
	r.Add(outcome())
	text := strings.NewReplacer(`"format": 2`, `"format": 1`, `"statuses": {
          "200": 1
        },`, "", `"statuses": {
        "200": 1
      },`, "", `"statuses": {
      "200": 1
    },`, "").Replace(string(bytesOf(t, r)))
	old, err := ReadDocument("old", strings.NewReader(text))
	if err != nil || strings.Contains(text, "statuses") {
		t.Fatalf("%v: %s", err, text)
	}
	o := newShop(t, loadgen.Shard{Index: 2, Count: 2})
	o.Add(outcome())
	sum, err := Merge([]Document{old, {"new", reread(t, o)}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := reread(t, sum).Sum(nil).Answered(200, 299); known {
		t.Error("the statuses of a sum with an old document are known")
	}
}
