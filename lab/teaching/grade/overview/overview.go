// Package overview writes what a class came to on one HTML page: the distribution of the points, the
// items that were missed most, submissions that are alike, and every learner with a link to the
// report. The page needs nothing else: no script, no font, no network.
package overview

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/similar"
)

//go:embed page.tmpl
var pageTemplate string

//go:embed style.css
var style string

// page is what the template shows.
type page struct {
	Style     template.CSS
	Config    grade.Config
	Date      string
	Seeds     string
	Practice  string
	Count     int
	Graded    int
	NotGraded []row
	Mean      string
	Median    string
	Bins      []bin
	Items     []item
	Outcomes  []outcome
	Same      [][]string
	Alike     []similar.Pair
	MoreAlike int
	Rows      []row
}

// bin is a bar of the distribution.
type bin struct {
	Label  string
	Count  int
	Height int // of the bar, 0 to 100
	X      int
}

// item is an item of the rubric and how many graded learners lost points for it.
type item struct {
	Scenario, Title string
	Essential       bool
	Missed, Of      int
	Share           int // in percent
}

type outcome struct {
	Scenario, Outcome string
	Count             int
}

// row is a learner.
type row struct {
	Learner, Name, Points, Percent, Reason, Remarks string
	Graded                                          bool
	Parts                                           []part
}

type part struct{ Points, Outcome, Report string }

// maxAlike is how many pairs are shown.
const maxAlike = 50

// Write returns the page.
func Write(g *grade.Grading) ([]byte, error) {
	p := page{Style: template.CSS(style), Config: g.Config, Date: g.Config.Date.Format("2 January 2006"),
		Count: len(g.Learners), Seeds: format.Plural(g.Config.Seeds, "secret seed"),
		Practice: format.Plural(g.Config.Practice, "public seed")}
	p.learners(g)
	p.distribution(g)
	p.items(g)
	p.similar(g)
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("write the overview: %w", err)
	}
	return b.Bytes(), nil
}

func (p *page) learners(g *grade.Grading) {
	counts := map[[2]string]int{}
	for i := range g.Learners {
		l := &g.Learners[i]
		r := row{Learner: l.Learner, Name: l.FullName, Reason: format.Clean(l.Reason()),
			Remarks: strings.Join(l.Remarks(), "; "), Graded: l.Status == grade.Graded}
		if r.Graded {
			p.Graded++
			r.Points, r.Percent = fmt.Sprintf("%d of %d", l.Points, l.Max), fmt.Sprintf("%.0f %%", l.Percent())
		}
		for _, x := range l.Parts {
			r.Parts = append(r.Parts, partOf(l, x))
			counts[[2]string{x.Scenario, cmp.Or(x.Outcome, string(x.Status)+": "+string(x.Cause))}]++
		}
		if !r.Graded {
			p.NotGraded = append(p.NotGraded, r)
		}
		p.Rows = append(p.Rows, r)
	}
	for k, n := range counts {
		p.Outcomes = append(p.Outcomes, outcome{k[0], k[1], n})
	}
	slices.SortFunc(p.Outcomes, func(a, b outcome) int {
		return cmp.Or(strings.Compare(a.Scenario, b.Scenario), b.Count-a.Count, strings.Compare(a.Outcome, b.Outcome))
	})
}

func partOf(l *grade.Learner, p grade.Part) part {
	if p.Status != grade.Graded {
		return part{Outcome: "not graded"}
	}
	x := part{Points: fmt.Sprint(p.Points), Outcome: p.Outcome}
	if len(p.Runs) > 0 {
		x.Report = path.Join(grade.DirLearners, url.PathEscape(l.Learner), url.PathEscape(p.Scenario),
			"run/report.html")
	}
	return x
}

// distribution counts learners by tenths of the points.
func (p *page) distribution(g *grade.Grading) {
	const bins, width = 10, 60
	counts := make([]int, bins)
	var all []float64
	sum := 0.0
	for i := range g.Learners {
		if l := &g.Learners[i]; l.Status == grade.Graded {
			percent := l.Percent()
			counts[min(int(percent/(100/bins)), bins-1)]++
			all = append(all, percent)
			sum += percent
		}
	}
	most := max(slices.Max(counts), 1)
	for i, n := range counts {
		p.Bins = append(p.Bins, bin{Label: fmt.Sprintf("%d–%d", i*10, i*10+10), Count: n, Height: 100 * n / most,
			X: i * width})
	}
	if len(all) > 0 {
		slices.Sort(all)
		p.Mean, p.Median = fmt.Sprintf("%.0f %%", sum/float64(len(all))), fmt.Sprintf("%.0f %%", median(all))
	}
}

// median is that of sorted numbers.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// items counts how often each item was missed, the most missed ones first.
func (p *page) items(g *grade.Grading) {
	index := map[[2]string]int{}
	for _, l := range g.Learners {
		for _, x := range l.Parts {
			for _, i := range x.Items {
				k := [2]string{x.Scenario, i.ID}
				n, ok := index[k]
				if !ok {
					n = len(p.Items)
					index[k] = n
					p.Items = append(p.Items, item{Scenario: x.Scenario, Title: i.Title, Essential: i.Essential})
				}
				p.Items[n].Of++
				if i.Points < i.Max {
					p.Items[n].Missed++
				}
			}
		}
	}
	for i := range p.Items {
		p.Items[i].Share = 100 * p.Items[i].Missed / p.Items[i].Of
	}
	slices.SortStableFunc(p.Items, func(a, b item) int { return b.Share - a.Share })
}

// similar finds submissions that are the same but for comments and layout, and pairs that are alike.
// Those without anything of the learner's own, such as an untouched starter, do not count.
func (p *page) similar(g *grade.Grading) {
	for s := range g.Config.Scenarios {
		byDocuments := map[string][]string{}
		var order []string
		var works []similar.Work
		for _, l := range g.Learners {
			x := l.Parts[s]
			if x.Documents == "" || len(x.Features) == 0 {
				continue
			}
			if len(byDocuments[x.Documents]) == 0 {
				order = append(order, x.Documents)
				works = append(works, similar.Work{Author: l.Learner, Features: x.Features})
			}
			byDocuments[x.Documents] = append(byDocuments[x.Documents], l.Learner)
		}
		for _, d := range order {
			if len(byDocuments[d]) > 1 {
				p.Same = append(p.Same, byDocuments[d])
			}
		}
		p.Alike = append(p.Alike, similar.Pairs(works)...)
	}
	if n := len(p.Alike) - maxAlike; n > 0 {
		p.Alike, p.MoreAlike = p.Alike[:maxAlike], n
	}
}
