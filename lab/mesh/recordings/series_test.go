package recordings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coalmine/lab/mesh"
)

// ofLabel is added to series of the model, to tell whose proxy they are of.
const ofLabel = "of"

var (
	seriesLine  = regexp.MustCompile(`^([a-z_0-9]+)(?:\{(.*)\})?\s+(-?[\d.e+]+)$`)
	labelInLine = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	addressPart = regexp.MustCompile(`^[\d.x]+(:\d+)?$`)
)

// handful is how many answers to requests that were under way while pods came or went do not count.
const handful = 10

// growth is by how much series grew, by name and labels.
type growth map[string]float64

// seriesName returns the name and the labels of a series, without labels that are empty, and without
// those by which the recordings tell pods apart.
func seriesName(name string, labels []mesh.Label) string {
	var parts []string
	for _, l := range labels {
		switch l.Name {
		case "__name__", ofLabel, "dst_pod", "dst_pod_template_hash", "target_ip":
			continue
		case "target_addr":
			l.Value = addressPart.ReplaceAllString(l.Value, "10.x.x.x$1")
		case "le": // written as a whole number or not, depending on who writes it
			if v, err := strconv.ParseFloat(l.Value, 64); err == nil {
				l.Value = strconv.FormatFloat(v, 'f', -1, 64)
			}
		}
		if l.Value != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", l.Name, l.Value))
		}
	}
	slices.Sort(parts)
	return name + "{" + strings.Join(parts, ",") + "}"
}

func recordedGrowth(t *testing.T, m proxyLines) growth {
	t.Helper()
	g := growth{}
	for _, line := range m.Lines {
		parts := seriesLine.FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("cannot read the series %q", line)
		}
		var labels []mesh.Label
		for _, l := range labelInLine.FindAllStringSubmatch(parts[2], -1) {
			labels = append(labels, mesh.Label{Name: l[1], Value: l[2]})
		}
		v, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		g[seriesName(parts[1], labels)] += v
	}
	return g
}

// modelGrowth returns the series of a proxy in the model.
func modelGrowth(c *cluster, of string, match *regexp.Regexp) growth {
	g := growth{}
	c.registry.Collect(c.now, func(_ int, labels []mesh.Label, value float64) {
		name := labels[0].Value
		if slices.Contains(labels, mesh.Label{Name: ofLabel, Value: of}) && match.MatchString(name) {
			g[seriesName(name, labels)] += value
		}
	})
	return g
}

// compareSeries compares names, labels and growth of the series of each proxy.
func compareSeries(t *testing.T, r recording, clusters []*cluster) []string {
	t.Helper()
	var diffs []string
	for _, m := range r.Metrics {
		match, err := regexp.Compile(m.Match)
		if err != nil {
			t.Fatal(err)
		}
		want := recordedGrowth(t, m)
		var models []growth
		for _, c := range clusters {
			models = append(models, modelGrowth(c, m.Of, match))
		}
		for _, d := range compareGrowth(r, want, models) {
			diffs = append(diffs, "series of "+m.Of+": "+d)
		}
	}
	return diffs
}

func compareGrowth(r recording, want growth, models []growth) []string {
	known := map[string]bool{} // names that the model has at all
	names := map[string]bool{}
	for _, g := range models {
		for k := range g {
			names[k] = true
			known[nameOf(k)] = true
		}
	}
	recorded := map[string]bool{}
	for k := range want {
		names[k], recorded[nameOf(k)] = true, true
	}
	requests := 0
	for _, s := range r.Steps {
		for _, q := range s.Send {
			requests += max(q.Count, 1)
		}
	}
	var diffs []string
	missing := map[string]bool{}
	for _, k := range slices.Sorted(maps.Keys(names)) {
		switch name := nameOf(k); {
		case !known[name]:
			missing[name] = missing[name] || !r.kubelet() || want[k] > handful
			continue
		case !recorded[name] && (strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_sum")):
			continue // most recordings have only the counts of histograms
		}
		var values []float64
		for _, g := range models {
			values = append(values, g[k])
		}
		if d := compareValue(r, k, want[k], values, requests); d != "" {
			diffs = append(diffs, k+": "+d)
		}
	}
	maps.DeleteFunc(missing, func(_ string, is bool) bool { return !is })
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		diffs = append(diffs, name+": not in the model")
	}
	return diffs
}

func nameOf(series string) string {
	name, _, _ := strings.Cut(series, "{")
	return name
}

// compareValue compares by how much one series grew.
func compareValue(r recording, series string, want float64, values []float64, requests int) string {
	switch {
	case r.probed(series): // as often as the kubelet asked, and once more before the manifests held
		if want > 0 && values[0] > 0 || max(want, values[0]) <= 2 {
			return ""
		}
	case r.kubelet():
		if want > handful && values[0] > handful || want <= 2*handful && values[0] <= 2*handful {
			return ""
		}
	default:
		return compareCount(want, values, requests, r.slack())
	}
	return fmt.Sprintf("recorded %g, the model has %g", want, values[0])
}

// probed reports whether a series counts probes of the kubelet: by the default route, or if a Server
// has routes, by these. The kubelet is not in the mesh.
func (r recording) probed(series string) bool {
	if strings.Contains(series, `route_name="probe"`) {
		return true
	}
	byRoute := strings.Contains(series, `route_kind="HTTPRoute"`) || strings.Contains(series, "route_not_found")
	ofClient := strings.Contains(series, "client_id=")
	return byRoute && !ofClient && !strings.Contains(series, "parent_kind=\"Service\"") &&
		!strings.HasPrefix(series, "outbound_")
}

// kubelet reports whether pods come or go while requests are sent.
func (r recording) kubelet() bool {
	for _, s := range r.Steps {
		for _, d := range s.During {
			if len(d.Kubectl) > 2 && slices.Contains([]string{"scale", "exec", "rollout", "delete"}, d.Kubectl[2]) {
				return true
			}
		}
		if strings.Contains(s.Kubectl, "scale") || strings.Contains(s.Kubectl, "rollout restart") {
			return true
		}
	}
	return false
}

// slack is by how many requests the growth of series may differ where the time decides.
func (r recording) slack() float64 {
	most := 0.0
	for _, s := range r.Steps {
		for _, q := range s.Send {
			if len(s.During) > 0 || len(q.URL) > 0 && q.Rate > 0 {
				most = max(most, slack(q))
			}
		}
	}
	return most
}
