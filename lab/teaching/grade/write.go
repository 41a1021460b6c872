package grade

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"coalmine/lab/format"
)

// Names of the files with the grades.
const (
	fileCSV  = "grades.csv"
	fileJSON = "grades.json"
)

// Write writes the grades into the folder of the results.
func (g *Grading) Write(dir string) error {
	table, err := g.CSV()
	if err != nil {
		return err
	}
	document, err := marshal(g.document())
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{fileCSV, table}, {fileJSON, document}} {
		if err := writeFile(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

// CSV returns a table with a row for each learner. Without a grade, points are left out: an empty
// cell is not a zero.
func (g *Grading) CSV() ([]byte, error) {
	header := []string{"learner", "name", "submission", "status", "points", "max_points", "percent"}
	for _, s := range g.Config.Scenarios {
		header = append(header, s.Name)
	}
	header = append(header, "reason", "remarks")
	rows := [][]string{header}
	for _, l := range g.Learners {
		row := []string{l.Learner, l.FullName, l.Submission, string(l.Status), "", strconv.Itoa(l.Max), ""}
		if l.Status == Graded {
			row[4], row[6] = strconv.Itoa(l.Points), Percent(l.Percent())
		}
		for _, p := range l.Parts {
			points := ""
			if p.Status == Graded {
				points = strconv.Itoa(p.Points)
			}
			row = append(row, points)
		}
		rows = append(rows, append(row, l.Reason(), strings.Join(l.Remarks(), "; ")))
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = SafeCell(cell)
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// Percent formats a percentage for programs.
func Percent(p float64) string { return strconv.FormatFloat(p, 'f', 1, 64) }

// SafeCell returns a text that no spreadsheet takes for a formula, on one line.
func SafeCell(text string) string {
	text = format.Clean(strings.Join(strings.Fields(text), " "))
	if text != "" && strings.ContainsRune("=+-@|%", rune(text[0])) {
		return "'" + text
	}
	return text
}

// Remarks are what an instructor should know besides the points.
func (l *Learner) Remarks() []string {
	var all []string
	for _, p := range l.Parts {
		prefix := ""
		if len(l.Parts) > 1 {
			prefix = p.Scenario + ": "
		}
		if p.Own != "" {
			all = append(all, prefix+"a copy of the scenario's own "+p.Own)
		}
		if p.Status == Graded && p.Practice != nil && p.Practice.Points > p.Points {
			all = append(all, fmt.Sprintf("%s%d of %d points on the public seeds", prefix, p.Practice.Points,
				p.Practice.Max))
		}
	}
	return all
}

// document is the JSON form of the grades.
type document struct {
	Config
	Learners []Learner `json:"learners"`
}

// document leaves out what only the search for similar submissions needs.
func (g *Grading) document() document {
	d := document{Config: g.Config, Learners: make([]Learner, len(g.Learners))}
	for i, l := range g.Learners {
		parts := make([]Part, len(l.Parts))
		for n, p := range l.Parts {
			p.Features = nil
			if p.Practice != nil {
				short := *p.Practice
				short.Card = ""
				p.Practice = &short
			}
			parts[n] = p
		}
		l.Parts = parts
		d.Learners[i] = l
	}
	return d
}
