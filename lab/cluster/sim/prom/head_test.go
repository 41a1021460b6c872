package prom_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	samplevalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"coalmine/lab/cluster/sim/prom"
)

// head is Prometheus' own storage with its engine, to which each scrape appends.
type head struct {
	*tsdb.Head
	engine  *promql.Engine
	present []int // series of the last scrape
}

func openHead(t *testing.T) *head {
	o := tsdb.DefaultHeadOptions()
	o.ChunkDirRoot, o.ChunkRange, o.StripeSize = t.TempDir(), (48 * time.Hour).Milliseconds(), 64
	h, err := tsdb.NewHead(nil, nil, nil, nil, o, nil)
	if err == nil {
		err = h.Init(start.Add(-time.Hour).UnixMilli())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return &head{Head: h, engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true,
		EnableNegativeOffset: true, Parser: parser.NewParser(parser.Options{}),
		NoStepSubqueryIntervalFn: func(int64) int64 { return prom.ScrapeInterval.Milliseconds() },
	})}
}

// scrape appends samples, and marks series stale that the last scrape had.
func (h *head) scrape(t *testing.T, at time.Time, numbers []int, values []float64) {
	t.Helper()
	app := h.Appender(t.Context())
	add := func(number int, v float64) {
		b := labels.NewScratchBuilder(8)
		for _, l := range randomSeries(number).Labels() {
			b.Add(l.Name, l.Value)
		}
		b.Sort()
		if _, err := app.Append(0, b.Labels(), at.UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range numbers {
		add(n, values[i])
	}
	for _, n := range h.present {
		if !slices.Contains(numbers, n) {
			add(n, math.Float64frombits(samplevalue.StaleNaN))
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	h.present = numbers
}

func (h *head) query(ctx context.Context, text string, at time.Time) string {
	q, err := h.engine.NewInstantQuery(ctx, storage.QueryableFunc(func(mint, maxt int64) (storage.Querier, error) {
		return tsdb.NewBlockQuerier(tsdb.NewRangeHead(h.Head, mint, maxt), mint, maxt)
	}), nil, text, at)
	if err != nil {
		return err.Error()
	}
	defer q.Close()
	r := q.Exec(ctx)
	if v, ok := r.Value.(promql.Vector); ok && r.Err == nil {
		return fmt.Sprint(v)
	}
	return fmt.Sprint(r.Value, r.Err)
}

// randomSeries is one of a few series of three metrics.
func randomSeries(number int) labelled {
	return labelled{fmt.Sprintf("m%d_total", number%3), []prom.Label{
		{Name: "pod", Value: fmt.Sprint("pod-", number)}, {Name: "status", Value: []string{"200", "503"}[number/3%2]},
		{Name: "le", Value: []string{"0.1", "0.5", "1", "+Inf"}[number/6%4]},
	}}
}

// Samples that are appended for a query are answered like those that are appended by each scrape: also
// those of series that come and go, in the same order and to the last bit.
func TestLateAppendsAnswerLikeEarlyOnes(t *testing.T) {
	named := []string{
		`m0_total`, `sum(rate(m0_total[1m]))`, `sum by (status) (increase(m1_total[90s]))`,
		`histogram_quantile(0.99, sum by (le) (rate(m2_total[1m])))`, `m1_total offset 30s`, `max_over_time(sum(m2_total)[1m:])`, `m0_total[1m]`,
		`sum_over_time(m0_total[2m])`, `absent(m1_total{status="503"})`, `count_over_time(m2_total[5m])`,
		`topk(2, m0_total)`, `m0_total / on (pod) group_left m0_total`, `rate(m0_total[15s])`, `changes(m1_total[3m])`,
		`m2_total @ 946684860`, `sum(m0_total{missing=""})`, `avg(m1_total{status=~"5.."}) by (le)`,
	}
	some := []string{
		`m0_total{status="503"}`, `sum(rate(m0_total{status="200",pod!~"pod-0|pod-12"}[1m]))`, `m1_total{le="1"}`,
		`m2_total{pod=~"pod-1.*",missing=""} / on (pod) m2_total{status!="503"}`, `m0_total{missing!=""}`,
	}
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 0))
		db, want, at, queries := open(t), openHead(t), start, slices.Clone(some)
		if seed == 0 {
			queries = slices.Clone(named)
		}
		for scrape := range 40 {
			if scrape == 10 { // so far queries have selected some series of a metric
				for n := range 10 {
					queries = append(queries, fmt.Sprintf(`m1_total{pod!="pod-%d",le=~"0.+|1"}`, n))
				}
				queries = append(queries, named...)
			}
			if scrape == 20 { // so far every query has named its metric
				queries = append(queries, `{__name__=~"m[01]_total",status!="200"}`, `count({pod=~"pod-.*"})`)
			}
			at = at.Add(prom.ScrapeInterval)
			var numbers []int
			var values []float64
			for n := range 24 {
				if random.IntN(8) > 0 {
					numbers, values = append(numbers, n), append(values, float64(random.IntN(1000))/7)
				}
			}
			want.scrape(t, at, numbers, values)
			if err := db.Scrape(at, func(s *prom.Scrape) {
				for i, n := range numbers {
					sample(s, n, values[i], randomSeries(n))
				}
			}); err != nil {
				t.Fatal(err)
			}
			asked := at.Add(time.Duration(random.IntN(10_000)) * time.Millisecond)
			for _, q := range queries {
				expected := want.query(t.Context(), q, asked)
				v, err := db.Query(t.Context(), q, asked)
				if got := fmt.Sprint(v); err == nil && got != expected {
					t.Fatalf("seed %d: %s at %v:\ngot  %s\nwant %s", seed, q, asked.Sub(start), got, expected)
				} else if err != nil && q != "m0_total[1m]" {
					t.Fatalf("%s: %v", q, err)
				}
			}
		}
	}
}
