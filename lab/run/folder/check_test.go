package folder

import (
	"slices"
	"strings"
	"testing"
)

// The seeds follow from each of the inputs, and from nothing else.
func TestCheckSeedsFollowFromTheInputs(t *testing.T) {
	want := CheckSeeds("s", "g", []uint64{1, 2, 3}, "nonce", 20)
	if again := CheckSeeds("s", "g", []uint64{1, 2, 3}, "nonce", 20); !slices.Equal(want, again) {
		t.Errorf("the same inputs gave %v and %v", want, again)
	}
	if fewer := CheckSeeds("s", "g", []uint64{1, 2, 3}, "nonce", 5); !slices.Equal(fewer, want[:5]) {
		t.Errorf("fewer seeds are others: %v", fewer)
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(want))); len(sorted) != 20 {
		t.Errorf("there are doubles in %v", want)
	}
	for _, other := range [][]uint64{
		CheckSeeds("t", "g", []uint64{1, 2, 3}, "nonce", 20), CheckSeeds("s", "h", []uint64{1, 2, 3}, "nonce", 20),
		CheckSeeds("s", "g", []uint64{1, 2}, "nonce", 20), CheckSeeds("s", "g", []uint64{1, 2, 3}, "other", 20),
		CheckSeeds("sg", "", []uint64{1, 2, 3}, "nonce", 20),
	} {
		if slices.ContainsFunc(other, func(s uint64) bool { return slices.Contains(want, s) }) {
			t.Errorf("other inputs gave some of the same seeds: %v and %v", want, other)
		}
	}
}

func TestValidateCheck(t *testing.T) {
	good := CheckSeed{Seed: 5, Outcome: "passed", Reason: "all well", Logs: map[string]string{
		"faulty": strings.Repeat("a", 64)}}
	bad := good
	bad.Logs = map[string]string{"faulty": "x"}
	for want, m := range map[string]Manifest{
		"":                           {Options: Options{CheckSeeds: 1, Nonce: "abc"}, Check: []CheckSeed{good}},
		"options.check_seeds is 201": {Options: Options{CheckSeeds: 201, Nonce: "abc"}},
		`options.nonce: "" is not`:   {Options: Options{CheckSeeds: 1}},
		"results of 1 check seeds":   {Options: Options{CheckSeeds: 2, Nonce: "abc"}, Check: []CheckSeed{good}},
		"outcome, exit code or reas": {Options: Options{CheckSeeds: 1, Nonce: "abc"}, Check: []CheckSeed{{Seed: 5}}},
		"is not a SHA-256 digest":    {Options: Options{CheckSeeds: 1, Nonce: "abc"}, Check: []CheckSeed{bad}},
	} {
		m.Format, m.Runs = Format, []Run{{Role: "faulty", Seed: 1}}
		if err := m.validate(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(),
			want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for nonce, valid := range map[string]bool{"abc-1_2.3": true, "": false, "a b": false,
		strings.Repeat("a", 65): false} {
		if err := ValidateNonce(nonce); (err == nil) != valid {
			t.Errorf("%q: %v", nonce, err)
		}
	}
}
