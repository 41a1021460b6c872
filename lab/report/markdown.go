package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/report/markdown"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/timeline"
)

// Markdown writes a trial as it fits a pull request: the verdict, why each point was given or lost,
// the figures, and the narrative of the run that shows most.
func Markdown(w io.Writer, t *model.Trial) error {
	d := markdownPage{trial: t}
	d.head()
	d.explanation(t.Explanation())
	if t.Single == nil {
		d.points()
		d.harm()
	}
	d.runs()
	if r, ok := t.Highlight(); ok {
		d.narrative(r)
		d.segments(r)
		d.mesh(r)
	}
	d.scorecard()
	d.foot()
	return d.Flush(w)
}

type markdownPage struct {
	markdown.Page
	trial *model.Trial
}

func (d *markdownPage) head() {
	v := d.trial.Verdict()
	d.Heading(2, v.Sign+" "+markdown.Text(v.Outcome)+": "+markdown.Text(d.trial.Card.Title))
	line := "Scenario " + markdown.Strong(markdown.Text(d.trial.Card.Scenario))
	if own := d.trial.Variant; own != "" {
		line += ", its own guardrails " + markdown.Strong(markdown.Text(own))
	}
	if c := d.trial.Card; c.MaxPoints > 0 {
		line += fmt.Sprintf(", %s", markdown.Strong(fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)))
	}
	d.Paragraph(line + ". " + markdown.Text(sentence(v.Reason)))
	if limit := model.LimitText(d.trial.Card); limit != "" {
		d.Paragraph(limit)
	}
	for _, n := range d.trial.AllNotes() {
		d.Paragraph("> Note: " + markdown.Text(n))
	}
}

func (d *markdownPage) explanation(e model.Explanation) {
	if len(e.Facts) == 0 {
		return
	}
	d.Heading(3, markdown.Text(e.Title+" ("+e.Run+")"))
	var lines []string
	for _, f := range e.Facts {
		lines = append(lines, f.Sign()+" "+markdown.Text(f.Line()))
	}
	d.List(lines...)
}

// sentence ends text with a full stop.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func (d *markdownPage) points() {
	var rows [][]string
	for _, i := range d.trial.Card.Items {
		sign, _ := model.ItemSymbol(i)
		rows = append(rows, []string{sign, fmt.Sprintf("%d/%d", i.Points, i.Max), markdown.Text(model.ItemTitle(i)),
			markdown.Text(i.Reason)})
	}
	d.Table([]string{"", ">Points", "What was asked", "What was seen"}, rows)
	d.hints()
}

// hints are folded, so that reading them is a choice.
func (d *markdownPage) hints() {
	var hints []string
	for _, i := range d.trial.Card.Items {
		if i.Hint != "" {
			hints = append(hints, markdown.Text(i.Title)+": "+markdown.Text(i.Hint))
		}
	}
	if len(hints) == 0 {
		return
	}
	d.Paragraph("<details><summary>Hints</summary>")
	d.List(hints...)
	d.Paragraph("</details>")
}

func (d *markdownPage) harm() {
	c := d.trial.Card
	if c.Faulty.Of == 0 && c.Harm.Learner == 0 {
		return
	}
	d.Heading(3, "Harm to users")
	rows := [][]string{}
	add := func(name string, n *int) {
		if n == nil {
			return
		}
		share := ""
		if c.Harm.Unguarded != nil && *c.Harm.Unguarded > 0 {
			share = format.Percent(float64(*n) / float64(*c.Harm.Unguarded))
		}
		rows = append(rows, []string{name, format.Number(*n), share})
	}
	add("unguarded", c.Harm.Unguarded)
	add("yours", &c.Harm.Learner)
	add("reference", c.Harm.Reference)
	add("ideal alarm", c.Harm.Bound)
	d.Table([]string{"Guardrails", ">Bad requests beyond the baseline", ">Of unguarded"}, rows)
	for _, text := range append([]string{model.CauseText(c), model.HarmText(c)}, model.HarmNotes(c)...) {
		if text != "" {
			d.Paragraph(markdown.Text(sentence(text)))
		}
	}
	d.cohorts()
}

func (d *markdownPage) cohorts() {
	var rows [][]string
	for _, h := range model.HarmedCohorts(d.trial.Card) {
		unguarded, through, users := model.CohortText(h)
		rows = append(rows, []string{markdown.Text(h.Cohort), format.Number(h.Requests), format.Number(h.Harm),
			unguarded, through, users})
	}
	d.Table([]string{"Cohort", ">Requests", ">Harm", ">Unguarded", ">Got through", ">Users hurt"}, rows)
}

func (d *markdownPage) runs() {
	d.Heading(3, "Runs")
	var rows [][]string
	for _, r := range d.trial.Card.Runs {
		sign, _ := model.Symbol(r.Verdict.Exit())
		weight := format.Missing
		if r.Weight != nil {
			weight = fmt.Sprintf("%d %%", *r.Weight)
		}
		rows = append(rows, []string{markdown.Text(r.Run), sign + " " + r.Verdict.Text(),
			format.OptionalClock(r.FirstBad), format.OptionalDuration(r.MTTD),
			format.OptionalDuration(r.MTTR), weight, format.Number(r.Harm)})
	}
	d.Table([]string{"Run", "Verdict", ">First bad", ">MTTD", ">MTTR", ">Weight at rollback", ">Harm"}, rows)
}

// mesh says what the mesh did in a run.
func (d *markdownPage) mesh(r model.Run) {
	var rows [][]string
	for _, row := range model.MeshTable(r.Row) {
		cells := make([]string, len(row))
		for i, text := range row {
			cells[i] = markdown.Text(text)
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		return
	}
	d.Heading(3, "What the mesh did in "+markdown.Text(r.Row.Run))
	d.Paragraph(sentence(upperFirst(model.MeshText(r.Row))))
	head := model.MeshColumns()
	for i := 3; i < len(head); i++ {
		head[i] = ">" + head[i]
	}
	d.Table(head, rows)
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// narrative describes one run. It is folded: a pull request is read from its top.
func (d *markdownPage) narrative(r model.Run) {
	d.Heading(3, "What happened in "+markdown.Text(r.Row.Run))
	var rows [][]string
	for _, e := range narrative.Of(r.Timeline) {
		text := markdown.Text(e.Text)
		for _, q := range e.Quotes {
			text += "<br>Flagger: “" + markdown.Text(q) + "”"
		}
		rows = append(rows, []string{format.Clock(e.At), sinceRelease(r.Timeline, e.At), fmt.Sprint(e.Seq), text})
	}
	d.Paragraph("<details><summary>" + format.Plural(len(rows), "moment") + ": time of the run, time since the " +
		"release, event, in words</summary>")
	d.Table([]string{">Time", ">Release", ">Event", "In words"}, rows)
	d.Paragraph("</details>")
}

// sinceRelease is a time relative to the release, or [format.Missing] without one.
func sinceRelease(t *timeline.Timeline, at time.Duration) string {
	if !t.Released.Happened() {
		return format.Missing
	}
	return format.Offset(at - t.Released.At)
}

// segments shows what the canary's average hides.
func (d *markdownPage) segments(r model.Run) {
	average, segments := model.Segments(r)
	if len(segments) == 0 {
		return
	}
	d.Heading(3, "Good answers while the canary was judged")
	rows := [][]string{segmentRow("everyone", "all", average)}
	for _, s := range segments[:min(len(segments), maxSegments)] {
		rows = append(rows, segmentRow(s.Cohort, s.Route, s))
	}
	d.Table([]string{"Cohort", "Route", ">Requests on the canary", ">Canary", ">Primary"}, rows)
}

// maxSegments is how many pairs of cohort and route are shown, the worst first.
const maxSegments = 8

func segmentRow(cohort, route string, s model.Segment) []string {
	return []string{markdown.Text(cohort), markdown.Text(route), format.Number(s.Canary.N),
		model.SuccessText(s.Canary), model.SuccessText(s.Primary)}
}

func (d *markdownPage) scorecard() {
	d.Heading(3, "Scorecard")
	var rows [][]string
	for _, m := range d.trial.Scorecard() {
		rows = append(rows, []string{m.Name, markdown.Strong(markdown.Text(m.Value)), markdown.Text(m.Detail),
			markdown.Text(m.Meaning)})
	}
	d.Table([]string{"Measure", "Value", "Rests on", "Meaning"}, rows)
}

func (d *markdownPage) foot() {
	if s := d.trial.Card.Players; s.Cluster != "" {
		d.Paragraph(markdown.Text(model.Provenance(s)))
	}
}
