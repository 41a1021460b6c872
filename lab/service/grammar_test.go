package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/service"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]service.Fault{
		"checkout:status=500,share=0.1,cohort=premium": {
			Share: 0.1, When: service.When{Routes: []string{"checkout"}, Cohorts: []string{"premium"}},
			Effect: service.Effect{Status: 500},
		},
		"*:wrong": {Effect: service.Effect{WrongBody: true}},
		":delay=200ms": {Effect: service.Effect{AddLatency: &service.Latency{P50: 200 * time.Millisecond,
			P99: 200 * time.Millisecond}}},
		"a+b c:hold=2s": {When: service.When{Routes: []string{"a", "b c"}},
			Effect: service.Effect{Hold: 2 * time.Second}},
		`a\+b\:c:memory=1.5`: {When: service.When{Routes: []string{"a+b:c"}}, Effect: service.Effect{GrowMemory: 1.5}},
		`a:name=x\,y,slower=2,delay=1ms..1s,users=0.25,load=4,uptime=1m,weight=50,cohort=p+q`: {
			Name: "x,y", When: service.When{Routes: []string{"a"}, Cohorts: []string{"p", "q"}, Users: 0.25, Load: 4,
				Uptime: time.Minute, Weight: 50},
			Effect: service.Effect{MultiplyLatency: 2,
				AddLatency: &service.Latency{P50: time.Millisecond, P99: time.Second}},
		},
		`a:cookie=tier:gold|a{1\,2}\d\+,header=Host:x:\;y=z,status=503`: {
			When: service.When{Routes: []string{"a"},
				Cookie: &service.NameMatch{Name: "tier", Value: `gold|a{1,2}\d\+`},
				Header: &service.NameMatch{Name: "Host", Value: "x:;y=z"}},
			Effect: service.Effect{Status: 503},
		},
	} {
		got, err := service.ParseFault(text)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", text, err, cmp.Diff(want, got))
		}
	}
}

func TestParseFaultErrors(t *testing.T) {
	for text, want := range map[string]string{
		"checkout":                   "has no colon: write ROUTES:PART",
		"checkout:":                  `there is no part ""`,
		"a:sttaus=500":               `there is no part "sttaus": use cohort, cookie, delay,`,
		"a:status=500,status=501":    "status is given twice",
		"a:status=lots":              "status=lots: write a status such as 500",
		"a:status=99":                "effect.status: 99 is not a final HTTP status",
		"a:share=0.5":                "effect: is empty; a fault needs an effect",
		"a:status=500,share=0":       "share=0: write a share above 0",
		"a:status=500,share=NaN":     "share=NaN: write a share",
		"a:status=500,share=50":      "share: 50 is not between 0 and 1",
		"a:status=500,users=-1":      "users=-1: write a share above 0",
		"a:delay=0s":                 "delay=0s: adds nothing",
		"a:delay=1s..1ms":            "effect.addLatency.p99: 1ms is less than p50",
		"a:delay=fast":               "delay=fast: write a duration such as 200ms",
		"a:wrong=yes":                "wrong has no value",
		"a:wrong,status=500":         "conflicts with wrongBody",
		"a:status=500,cookie=tier":   "cookie=tier: write NAME:REGEX",
		"a:status=500,cookie=tier:(": "when.cookie.value: \"(\" is not a valid Go regular expression",
		"a:status=500,cohort=":       "cohort=: is empty",
		"a:hold=-2s":                 "effect.hold: -2s is not between",
		"a:name=,status=500":         "name=: is empty",
		"a:status=500,":              `there is no part ""`,
	} {
		if _, err := service.ParseFault(text); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v\nwant: %s", text, err, want)
		}
	}
}

func TestSplitFaults(t *testing.T) {
	got := service.SplitFaults(` a:status=500 ; b:header=x:\;y,status=501;; `)
	if want := []string{"a:status=500", `b:header=x:\;y,status=501`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := service.SplitFaults(""); got != nil {
		t.Errorf("nothing gives %q", got)
	}
}

// A fault that is parsed from any text compiles, unless its names are unknown.
func FuzzParseFault(f *testing.F) {
	f.Add("home+pay:status=500,share=0.1,cohort=web")
	f.Add(`*:cookie=a:b{1\,2}\\,wrong;x`)
	f.Add(":delay=1ms..1h,slower=1e300,memory=1e308,hold=24h,load=1048576,uptime=0s,weight=1e-9,users=5e-324")
	f.Add(`\`)
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := service.ParseFault(text)
		if err != nil {
			return
		}
		if fault.Name == "" {
			fault.Name = "x"
		}
		fault.When.Routes, fault.When.Cohorts = nil, nil
		m, err := service.Compile(withFaults(fault), words(), 1)
		if err != nil {
			t.Fatalf("%q is taken, but %v", text, err)
		}
		if w := m.Begin(service.Request{Seq: 1}, service.State{InWork: 1}); w.Before < 0 || w.Status < 200 {
			t.Errorf("%q: %+v", text, w)
		}
	})
}
