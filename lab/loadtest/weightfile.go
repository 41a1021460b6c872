package loadtest

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/input"
	"coalmine/loadgen"
)

// Limits of a file with weights.
const (
	maxWeightFile = 16 << 20
	maxWeightRows = 100_000
	maxWeight     = 1e15
)

// weightRow says how often a route is requested, relative to the others.
type weightRow struct {
	place  string // FILE:LINE, or FILE
	cohort string // "" for all cohorts that no row names
	route  string
	weight float64
}

const weightsHint = "write CSV with the columns route and weight, and cohort if they differ, or JSON such as " +
	`{"catalogue": 6, "checkout": 1}`

// applyWeights replaces the mix of cohorts by the weights of a file.
func (s *source) applyWeights(ctx context.Context, o Options) error {
	name := o.Plan.Weights
	if name == "" {
		return nil
	}
	if s.workload.Replay != nil {
		return input.New("remove it", "--weights does not apply to a replayed log, which has its own requests")
	}
	data, err := input.ReadFile(ctx, o.path(name), maxWeightFile)
	if err != nil {
		return input.New(weightsHint, "--weights: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	read := readCSVWeights
	if t := bytes.TrimSpace(data); bytes.HasPrefix(t, []byte("{")) || bytes.HasPrefix(t, []byte("[")) {
		read = readJSONWeights
	}
	rows, err := read(name, data)
	switch {
	case err != nil:
		return err
	case len(rows) == 0:
		return input.New(weightsHint, "%s has no weights", name)
	case len(rows) > maxWeightRows:
		return input.New("leave out the rarest routes", "%s has over %d weights", name, maxWeightRows)
	}
	return s.setMixes(name, rows)
}

// setMixes gives each cohort the weights of its rows.
func (s *source) setMixes(name string, rows []weightRow) error {
	byCohort := map[string]map[string]float64{}
	for _, r := range rows {
		route, err := s.findRoute(r.route)
		if err != nil {
			return input.New(err.Error(), "%s: there is no route %.80q", r.place, r.route)
		}
		if !(r.weight >= 0 && r.weight <= maxWeight) { // NaN is neither
			return input.New("write a number of requests, or any other measure of frequency",
				"%s: the weight of %.80q is %v", r.place, r.route, r.weight)
		}
		if r.cohort != "" && !slices.ContainsFunc(s.workload.Cohorts, func(c loadgen.Cohort) bool {
			return c.Name == r.cohort
		}) {
			return input.New("the cohorts are "+strings.Join(s.cohortNames(), ", "),
				"%s: there is no cohort %.80q", r.place, r.cohort)
		}
		if byCohort[r.cohort] == nil {
			byCohort[r.cohort] = map[string]float64{}
		}
		byCohort[r.cohort][route] += r.weight
	}
	for _, cohort := range slices.Sorted(maps.Keys(byCohort)) {
		if !slices.ContainsFunc(slices.Collect(maps.Values(byCohort[cohort])), func(w float64) bool { return w > 0 }) {
			return input.New("give a route a weight above 0", "%s: all weights are 0%s", name, ofCohort(cohort))
		}
	}
	return s.replaceMixes(name, byCohort)
}

func ofCohort(name string) string {
	if name == "" {
		return ""
	}
	return " for the cohort " + name
}

func (s *source) replaceMixes(name string, byCohort map[string]map[string]float64) error {
	s.workload.Cohorts = slices.Clone(s.workload.Cohorts)
	replaced := false
	for i := range s.workload.Cohorts {
		c := &s.workload.Cohorts[i]
		weights, named := byCohort[c.Name]
		if !named {
			weights = byCohort[""]
		}
		switch {
		case weights == nil:
		case c.Mix != nil:
			c.Mix, replaced = weights, true
		case named:
			return input.New("remove its rows, or give it a mix in a workload file",
				"%s: the cohort %s has no mix: its users follow a session or a popularity", name, c.Name)
		}
	}
	if !replaced {
		return input.New("name a workload with a cohort that has a mix", "%s: no cohort has a mix that weights could "+
			"replace", name)
	}
	return nil
}

// findRoute returns the name of the route that is called so, or that has the method and path, or the
// only one that has the path. Its error is a hint.
func (s *source) findRoute(text string) (string, error) {
	var byPath []string
	for _, r := range s.workload.Routes {
		method := r.Method
		if method == "" {
			method = "GET"
		}
		switch text {
		case r.Name, method + " " + r.Path:
			return r.Name, nil
		case r.Path:
			byPath = append(byPath, r.Name)
		}
	}
	switch {
	case len(byPath) == 1:
		return byPath[0], nil
	case len(byPath) > 1:
		return "", fmt.Errorf("several routes have this path: write one of %s", strings.Join(byPath, ", "))
	}
	var names []string
	for _, r := range s.workload.Routes {
		names = append(names, r.Name)
	}
	const most = 20
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return "", fmt.Errorf("write a name, a path, or METHOD and path; the routes are %s", strings.Join(names, ", "))
}

func (s *source) cohortNames() []string {
	var names []string
	for _, c := range s.workload.Cohorts {
		names = append(names, c.Name)
	}
	return names
}

// columns are where a CSV file has what, -1 for nowhere.
type columns struct{ route, method, weight, cohort int }

// readCSVWeights reads a table. Without a header its columns are route and weight.
func readCSVWeights(name string, data []byte) ([]weightRow, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, -1
	at := func() string { line, _ := r.FieldPos(0); return fmt.Sprintf("%s:%d", name, line) }
	cols := columns{route: 0, method: -1, weight: 1, cohort: -1}
	var rows []weightRow
	for first := true; ; first = false {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			return nil, input.New(weightsHint, "%s:%d: %w", name, broken.Line, broken.Err)
		}
		if err != nil {
			return nil, input.New(weightsHint, "%s: %w", name, err)
		}
		if found, ok := header(record); first && ok {
			cols = found
			continue
		}
		if last := max(cols.route, cols.method, cols.weight, cols.cohort); len(record) <= last {
			return nil, input.New(weightsHint, "%s: the line has %d of %d columns", at(), len(record), last+1)
		}
		row := weightRow{place: at(), route: strings.TrimSpace(record[cols.route])}
		if cols.method >= 0 {
			row.route = strings.TrimSpace(record[cols.method]) + " " + row.route
		}
		if cols.cohort >= 0 {
			row.cohort = strings.TrimSpace(record[cols.cohort])
		}
		if row.weight, err = strconv.ParseFloat(strings.TrimSpace(record[cols.weight]), 64); err != nil {
			return nil, input.New(weightsHint, "%s: %.80q is not a number", row.place, record[cols.weight])
		}
		if rows = append(rows, row); len(rows) > maxWeightRows {
			return rows, nil
		}
	}
}

// header finds the columns by their names. Exports of other tools count requests.
func header(record []string) (columns, bool) {
	c := columns{-1, -1, -1, -1}
	for i, title := range record {
		switch strings.ToLower(strings.TrimSpace(title)) {
		case "route", "path", "target":
			c.route = i
		case "method":
			c.method = i
		case "weight", "count", "requests":
			c.weight = i
		case "cohort":
			c.cohort = i
		}
	}
	return c, c.route >= 0 && c.weight >= 0
}

// readJSONWeights reads an object of weights by route, or by cohort and route, or a list of objects
// with route, weight and cohort.
func readJSONWeights(name string, data []byte) ([]weightRow, error) {
	var list []struct {
		Route  string   `json:"route"`
		Cohort string   `json:"cohort"`
		Weight *float64 `json:"weight"`
	}
	var rows []weightRow
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, jsonError(name, data, err)
		}
		for i, r := range list {
			if r.Weight == nil {
				return nil, input.New(weightsHint, "%s: entry %d has no weight", name, i+1)
			}
			rows = append(rows, weightRow{place: name, cohort: r.Cohort, route: r.Route, weight: *r.Weight})
		}
		return rows, nil
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(data, &byName); err != nil {
		return nil, jsonError(name, data, err)
	}
	for _, key := range slices.Sorted(maps.Keys(byName)) {
		var weight *float64
		if json.Unmarshal(byName[key], &weight) == nil && weight != nil {
			rows = append(rows, weightRow{place: name, route: key, weight: *weight})
			continue
		}
		var ofCohort map[string]*float64
		if err := json.Unmarshal(byName[key], &ofCohort); err != nil || ofCohort == nil {
			return nil, input.New(weightsHint, "%s: %.80q has neither a weight nor weights by route", name, key)
		}
		for _, route := range slices.Sorted(maps.Keys(ofCohort)) {
			w := math.NaN() // null is no weight
			if ofCohort[route] != nil {
				w = *ofCohort[route]
			}
			rows = append(rows, weightRow{place: name, cohort: key, route: route, weight: w})
		}
	}
	return rows, nil
}

func jsonError(name string, data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(len(data), int(syntax.Offset))], []byte("\n"))
		return input.New(weightsHint, "%s:%d: %w", name, line, err)
	}
	return input.New(weightsHint, "%s: %w", name, err)
}
