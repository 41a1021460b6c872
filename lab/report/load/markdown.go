package loadreport

import (
	"fmt"
	"io"
	"strings"

	"coalmine/lab/report/markdown"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen/results"
)

// markdown writes a test as it fits a pull request: the result, the objectives, the responses by
// cohort, route and version, and the accuracy of the generator.
func (t Test) markdown(w io.Writer, o Options) error {
	r, all := t.Results, t.Results.Sum(nil)
	d := &markdown.Page{}
	d.Heading(2, "Load test "+escape(title(r))+t.outcome())
	d.Paragraph(escape(summary(r, all)+"; "+part(r)) + ".")
	for _, l := range r.Limits() {
		d.Paragraph("> Note: " + escape(limitText(l)))
	}
	if t.Err != nil {
		d.Paragraph("> Note: " + escape(t.Err.Error()))
	}
	var verdicts [][]string
	for _, v := range t.Verdicts {
		verdicts = append(verdicts, []string{markdown.Strong(string(v.State)), escape(v.Objective),
			escape(v.Sentence())})
	}
	d.Table([]string{"Result", "Objective", "Measured"}, verdicts)
	if all.Attempts > 0 {
		responses(d, r, all, o)
	}
	if all.Hit > 0 {
		d.Paragraph(escape(faultText(all)))
	}
	var errors []string
	for i, text := range errorTexts(r) {
		if i == maxErrors {
			errors = append(errors, fmt.Sprintf("… and %d more texts", len(r.Errors)-maxErrors))
			break
		}
		errors = append(errors, escape(number(r.Errors[text])+" × "+text))
	}
	if len(errors) > 0 {
		d.Heading(3, "Errors")
		d.List(errors...)
	}
	d.Heading(3, "Generator")
	for _, n := range generatorNotes(r, all) {
		d.Paragraph(escape(n.text))
	}
	return d.Flush(w)
}

// outcome ends the title with what the test says.
func (t Test) outcome() string {
	switch worst := objective.Worst(t.Verdicts); {
	case t.Err != nil:
		return ": incomplete"
	case len(t.Results.Limits()) > 0 || worst == objective.Inconclusive:
		return ": inconclusive"
	case worst == objective.Violated:
		return ": objective violated"
	case len(t.Verdicts) > 0:
		return ": objectives met"
	}
	return ""
}

// responses writes the table of cohort, route and version, and why requests were bad.
func responses(d *markdown.Page, r *results.Results, all *results.Cell, o Options) {
	list, hidden := rows(r, o.Objectives)
	numbers := columns(r, all)
	titles := []string{"", "Cohort", "Route", "Version"}
	for _, c := range numbers {
		titles = append(titles, ">"+c.head)
	}
	var table [][]string
	add := func(sign, cohort, route, version string, c *results.Cell) {
		cells := []string{escape(strings.TrimSpace(sign)), escape(cohort), escape(route), escape(version)}
		for _, column := range numbers {
			cells = append(cells, escape(column.text(c)))
		}
		table = append(table, cells)
	}
	var whys []string
	for _, x := range list {
		sign, _ := x.sign()
		add(sign, x.cell.Cohort, x.cell.Route, version(x.cell), x.cell)
		if x.cell.Bad+x.cell.Refused > 0 {
			whys = append(whys, escape(fmt.Sprintf("%s, %s, %s: %s", x.cell.Cohort, x.cell.Route, version(x.cell),
				x.why())))
		}
	}
	add("", "all", "", "", all)
	d.Heading(3, "Responses")
	d.Table(titles, table)
	if hidden > 0 {
		d.Paragraph(fmt.Sprintf("… and %d more rows.", hidden))
	}
	d.Paragraph("Latency is in ms, from the intended time to the end of the response.")
	d.List(whys...)
	d.Paragraph(escape(footnote(r, list, o.Objectives)))
}

// escape makes Markdown of text with foreign names.
func escape(s string) string { return markdown.Text(plainText(s)) }
