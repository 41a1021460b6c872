package recordings

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/verdict/stats"
)

// seeds is how often a recording is played, to know how much chance changes.
const seeds = 12

// falseAlarm is the chance that a comparison fails although the model is right.
const falseAlarm = 1e-6

// recorded is what a recording says about one kind of answer.
type recorded struct {
	n        int
	p50, max time.Duration
}

var answerLine = regexp.MustCompile(`^(\d+) × (.*?)  \(ms p50 ([\d.]+) p99 [\d.]+ max ([\d.]+)\)$`)

func parseAnswers(g got) (map[string]recorded, error) {
	all := map[string]recorded{}
	for _, line := range g.Answers {
		m := answerLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s: cannot read %q", g.Name, line)
		}
		n, _ := strconv.Atoi(m[1])
		p50, _ := strconv.ParseFloat(m[3], 64)
		most, _ := strconv.ParseFloat(m[4], 64)
		all[m[2]] = recorded{n, seconds(p50 / 1000), seconds(most / 1000)}
	}
	return all, nil
}

// compareAnswers compares one series of requests with what the seeds made of it.
func compareAnswers(q send, g got, runs []played) ([]string, error) {
	want, err := parseAnswers(g)
	if err != nil {
		return nil, err
	}
	disturbed := slices.ContainsFunc(runs, func(p played) bool { return p.disturbed })
	if disturbed {
		return append(compareOrder(q, g, want, runs[0]), compareFirst(q, g, want, runs)...), nil
	}
	var diffs []string
	kinds := map[string]bool{}
	for k := range want {
		kinds[k] = true
	}
	for _, p := range runs {
		for k := range p.answers {
			kinds[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		var counts []float64
		for _, p := range runs {
			counts = append(counts, float64(len(p.answers[k])))
		}
		if d := compareCount(float64(want[k].n), counts, max(q.Count, 1), slack(q)); d != "" {
			diffs = append(diffs, fmt.Sprintf("%s: %s: %s", q.Name, k, d))
			continue
		}
		if d := compareTimes(want[k], runs, k); d != "" && want[k].n > 0 {
			diffs = append(diffs, fmt.Sprintf("%s: %s: %s", q.Name, k, d))
		}
	}
	if len(diffs) == 0 {
		diffs = append(comparePods(q, g, runs), compareHeaders(q, g, runs)...)
	}
	return diffs, nil
}

// slack is by how many requests counts that depend on the time may differ.
func slack(q send) float64 {
	if q.Rate == 0 {
		return 0
	}
	return math.Ceil(q.Rate * 0.25)
}

// compareCount compares a recorded count with those of the seeds. Counts that are the same under
// every seed must be equal; others may differ as far as chance goes.
func compareCount(x float64, counts []float64, n int, slack float64) string {
	mean, total := 0.0, 0.0
	for _, y := range counts {
		total += y
	}
	mean = total / float64(len(counts))
	variance := 0.0
	for _, y := range counts {
		variance += (y - mean) * (y - mean) / float64(len(counts)-1)
	}
	if math.Abs(x-mean) <= slack {
		return ""
	}
	k := float64(len(counts))
	if variance > 0 {
		limit := stats.StudentQuantile(1-falseAlarm/2, len(counts)-1) * math.Sqrt(variance*(1+1/k))
		if math.Abs(x-mean) <= limit+slack || rare(x, n, total, n*len(counts)) {
			return ""
		}
	}
	return fmt.Sprintf("recorded %g, the model has %.4g", x, mean)
}

// rare reports whether the difference of two shares may be chance, by the exact test.
func rare(x float64, n int, x0 float64, n0 int) bool {
	more := stats.MoreThanBefore(int(x), n, int(x0), n0)
	less := stats.MoreThanBefore(n-int(x), n, n0-int(x0), n0)
	return 2*min(more, less) >= falseAlarm
}

// compareTimes compares the steps that timeouts and pauses set; anything below is the speed of the
// machine.
func compareTimes(want recorded, runs []played, kind string) string {
	if strings.HasPrefix(kind, "error: connection refused") {
		return "" // at once, or after a second, as the node's limit of ICMP messages has it
	}
	var took []time.Duration
	for _, p := range runs {
		for _, a := range p.answers[kind] {
			took = append(took, a.took)
		}
	}
	if len(took) == 0 {
		return ""
	}
	slices.Sort(took)
	p50 := took[len(took)/2]
	const step = 25 * time.Millisecond
	low, high := p50-step-p50/5, p50+step+p50/5
	if want.n < 5 { // too few for a median
		low, high = took[0]-2*step, took[len(took)-1]+2*step
	}
	if want.p50 < low || want.p50 > high {
		return fmt.Sprintf("recorded a median of %v, the model has %v", want.p50, p50.Round(time.Millisecond))
	}
	return ""
}

// comparePods compares how many pods answered, and their shares.
func comparePods(q send, g got, runs []played) []string {
	var all [][]float64
	for _, p := range runs {
		byPod := map[int]float64{}
		for _, list := range p.answers {
			for _, a := range list {
				if a.pod >= 0 {
					byPod[a.pod]++
				}
			}
		}
		all = append(all, slices.Sorted(maps.Values(byPod)))
	}
	if len(g.Pods) != len(all[0]) {
		return []string{fmt.Sprintf("%s: recorded answers of %d pods, the model has %d", q.Name, len(g.Pods),
			len(all[0]))}
	}
	pods := slices.Sorted(slices.Values(g.Pods))
	var diffs []string
	for i, x := range pods {
		var counts []float64
		for _, a := range all {
			if i < len(a) {
				counts = append(counts, a[i])
			}
		}
		if d := compareCount(float64(x), counts, max(q.Count, 1), slack(q)); d != "" && len(counts) > 1 {
			diffs = append(diffs, fmt.Sprintf("%s: pod %d: %s", q.Name, i+1, d))
		}
	}
	return diffs
}

// compareHeaders compares the headers of answers, except which server a draw hit.
func compareHeaders(q send, g got, runs []played) []string {
	var diffs []string
	for _, name := range slices.Sorted(maps.Keys(g.Headers)) {
		if name == "X-Server" {
			continue
		}
		if model := runs[0].headers[name]; model != g.Headers[name] &&
			!slices.ContainsFunc(runs, func(p played) bool { return p.headers[name] == g.Headers[name] }) {
			diffs = append(diffs, fmt.Sprintf("%s: header %s: recorded %q, the model has %q", q.Name, name,
				g.Headers[name], model))
		}
	}
	return diffs
}

// compareOrder compares a series during which the kubelet changed the pods: which kinds of answers
// there were, in which order. A handful of answers to requests that were under way does not count.
func compareOrder(q send, g got, want map[string]recorded, p played) []string {
	handful := handfulOf(q)
	kinds := slices.DeleteFunc(slices.Collect(maps.Keys(want)), func(k string) bool {
		return float64(want[k].n) <= handful
	})
	model := slices.DeleteFunc(slices.Collect(maps.Keys(p.answers)), func(k string) bool {
		return float64(len(p.answers[k])) <= handful
	})
	earliest := p.firstSent
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Compare(firstSent(g, a), firstSent(g, b)) })
	slices.SortFunc(model, func(a, b string) int {
		return cmp.Or(cmp.Compare(earliest(a), earliest(b)), cmp.Compare(a, b))
	})
	same := slices.Equal(slices.Sorted(slices.Values(kinds)), slices.Sorted(slices.Values(model)))
	for i, later := range kinds {
		for _, earlier := range kinds[:i] { // those that came within a second came together
			same = same && (!(firstSent(g, earlier)+1 <= firstSent(g, later)) || math.IsInf(firstSent(g, earlier), 1) ||
				earliest(earlier) < earliest(later))
		}
	}
	if same {
		return nil
	}
	return []string{fmt.Sprintf("%s: recorded in this order: %s; the model has: %s", q.Name, strings.Join(kinds, ", "),
		strings.Join(model, ", "))}
}

// compareFirst compares when each kind of answer first came, within what the kubelet may take.
func compareFirst(q send, g got, want map[string]recorded, runs []played) []string {
	var diffs []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		recorded := firstSent(g, k)
		if math.IsInf(recorded, 1) || float64(want[k].n) <= handfulOf(q) {
			continue
		}
		near := slices.ContainsFunc(runs, func(p played) bool {
			return math.Abs(p.firstSent(k)-recorded) <= 5
		})
		if !near {
			diffs = append(diffs, fmt.Sprintf("%s: %s: recorded first at %.2f s, the model has it at %.2f s", q.Name, k,
				recorded, runs[0].firstSent(k)))
		}
	}
	return diffs
}

// firstSent returns when the first request was sent that got a kind of answer, in seconds.
func (p played) firstSent(kind string) float64 {
	first := math.Inf(1)
	for _, a := range p.answers[kind] {
		first = min(first, a.sent.Seconds())
	}
	return first
}

// handfulOf is how many answers to requests that were under way do not count.
func handfulOf(q send) float64 { return max(5, float64(q.Count)*0.01) }

// firstSent returns when the first request was sent that got a kind of answer.
func firstSent(g got, kind string) float64 {
	first, _, _ := strings.Cut(g.SentBetween[kind], " s and ")
	at, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return math.Inf(1)
	}
	return at
}
