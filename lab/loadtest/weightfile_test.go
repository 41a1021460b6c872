package loadtest

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coalmine/loadgen"
)

func weighed() *source {
	return &source{workload: loadgen.Workload{
		Routes: []loadgen.Route{{Name: "list", Path: "/items"}, {Name: "item", Path: "/items/{item}"},
			{Name: "order", Method: "POST", Path: "/orders"}, {Name: "orders", Path: "/orders"}},
		Cohorts: []loadgen.Cohort{{Name: "few", Mix: map[string]float64{"list": 1}},
			{Name: "many", Mix: map[string]float64{"item": 1}}, {Name: "bots", Session: &loadgen.Session{}}},
	}}
}

func TestWeights(t *testing.T) {
	type mix = map[string]float64
	type mixes map[string]mix
	both := func(m mix) mixes { return mixes{"few": m, "many": m} }
	for name, c := range map[string]struct {
		data string
		want mixes
		says string
	}{
		"a table":           {"route,weight\nlist,6\norder,1.5\n", both(mix{"list": 6, "order": 1.5}), ""},
		"without a header":  {"list,6\n", both(mix{"list": 6}), ""},
		"equal rows add up": {"list,6\n/items,2\n", both(mix{"list": 8}), ""},
		"an export":         {"\ufeffMethod, Path, Requests\nPOST,/orders,12\n", both(mix{"order": 12}), ""},
		"a quoted path":     {"path,count\n\"/items\",1e3\n", both(mix{"list": 1000}), ""},
		"by cohort": {"cohort,route,weight\nfew,item,1\n,order,2\n",
			mixes{"few": {"item": 1}, "many": {"order": 2}}, ""},
		"one cohort only": {"cohort,route,weight\nfew,order,1\n",
			mixes{"few": {"order": 1}, "many": {"item": 1}}, ""},
		"an object":           {`{"GET /orders": 2, "list": 0}`, both(mix{"orders": 2, "list": 0}), ""},
		"an object by cohort": {`{"list": 1, "few": {"order": 3}}`, mixes{"few": {"order": 3}, "many": {"list": 1}}, ""},
		"a list": {`[{"route":"list","weight":2,"cohort":"many"}]`,
			mixes{"few": {"list": 1}, "many": {"list": 2}}, ""},
		"an ambiguous path":     {"/orders,1\n", nil, "write one of order, orders"},
		"no such route":         {"route,weight\nlist,1\ncart,1\n", nil, `w:3: there is no route "cart"`},
		"no such cohort":        {"cohort,route,weight\nfree,list,1\n", nil, `w:2: there is no cohort "free"`},
		"a cohort with session": {`{"bots": {"list": 1}}`, nil, "the cohort bots has no mix"},
		"not a number":          {"list,6\nitem,six\n", nil, `w:2: "six" is not a number`},
		"a second header":       {"route,weight\nroute,weight\n", nil, `w:2: "weight" is not a number`},
		"negative":              {"list,-1\n", nil, "is -1"},
		"not finite":            {"list,NaN\n", nil, "is NaN"},
		"infinite":              {"list,Inf\n", nil, "is +Inf"},
		"beyond numbers":        {"list,1e400\n", nil, `"1e400" is not a number`},
		"too large":             {`{"list": 1e300}`, nil, "is 1e+300"},
		"only zeros":            {"list,0\n", nil, "all weights are 0"},
		"zeros of a cohort":     {`{"list": 1, "few": {"list": 0}}`, nil, "all weights are 0 for the cohort few"},
		"one column":            {"list\n", nil, "w:1: the line has 1 of 2 columns"},
		"an open quote":         {"list,1\n\"item,1\n", nil, "w:2"},
		"no rows":               {"route,weight\n", nil, "has no weights"},
		"nothing":               {"", nil, "has no weights"},
		"an empty object":       {"{}", nil, "has no weights"},
		"null":                  {`{"list": null}`, nil, `"list" has neither a weight nor weights`},
		"null of a cohort":      {`{"few": {"list": null}}`, nil, "is NaN"},
		"a text":                {`{"list": "6"}`, nil, "neither a weight"},
		"no weight":             {`[{"route": "list"}]`, nil, "entry 1 has no weight"},
		"broken":                {"{\n\"list\": 1,\n", nil, "w:"},
		"control characters":    {"\x1b]0;x\x07,1\n", nil, `there is no route "\x1b]0;x\a"`},
		"too many":              {strings.Repeat("list,1\n", maxWeightRows+1), nil, "has over 100000 weights"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "w"), []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		s := weighed()
		err := s.applyWeights(t.Context(), Options{Dir: dir, Plan: PlanOptions{Weights: "w"}})
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%s: error %v, want one with %q", name, err, c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, cohort := range s.workload.Cohorts[:2] {
			if !maps.Equal(cohort.Mix, c.want[cohort.Name]) {
				t.Errorf("%s: %s has %v, want %v", name, cohort.Name, cohort.Mix, c.want[cohort.Name])
			}
		}
		if s.workload.Cohorts[2].Mix != nil {
			t.Errorf("%s: a cohort with sessions has a mix", name)
		}
	}
}

// A log has its own requests.
func TestWeightsOfALog(t *testing.T) {
	s := weighed()
	s.workload.Replay = &loadgen.Replay{}
	err := s.applyWeights(t.Context(), Options{Plan: PlanOptions{Weights: "w"}})
	if err == nil || !strings.Contains(err.Error(), "does not apply to a replayed log") {
		t.Error(err)
	}
}
