// Package gradebook fills grades into a gradebook that was exported from Canvas or Moodle.
//
// One column is filled and every other byte stays as it is. A column is never added, because both
// platforms make a new assignment of a column that they do not know. A learner without a grade keeps
// the cell as it was.
package gradebook

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/input"
)

// Kind is the platform that a gradebook was exported from.
type Kind string

// Kinds of gradebooks.
const (
	Canvas Kind = "Canvas"
	Moodle Kind = "Moodle"
)

// Grade is the grade of one learner.
type Grade struct {
	Learner string
	// FullName and CanvasID may be empty.
	FullName, CanvasID string
	// Share of the points, 0 to 1; nil if there is no grade.
	Share *float64
	// Max is the number of points.
	Max int
}

// Options say what to fill.
type Options struct {
	Kind Kind
	// Column is the header of the column to fill, with or without what the platform appends to it.
	Column string
	// Scale is what full points are worth. 0 takes the points possible of a Canvas gradebook, 100
	// for a column of percentages, and else the points of the grades.
	Scale float64
}

// Report says what was filled.
type Report struct {
	Column string
	Filled int
	// Replaced counts filled cells that had another grade before.
	Replaced int
	// NotGraded are learners of the gradebook without a grade, Unknown those whom it does not have,
	// and Ambiguous those who could be several of its rows, or share one.
	NotGraded, Unknown, Ambiguous []string
}

// maxGradebook bounds the size of a gradebook in bytes.
const maxGradebook = 64 << 20

// Fill returns the gradebook with the grades in its column.
func Fill(book []byte, grades []Grade, o Options) ([]byte, Report, error) {
	if len(book) > maxGradebook {
		return nil, Report{}, input.New("", "the gradebook is larger than %d MiB", maxGradebook>>20)
	}
	t, err := parse(book)
	if err != nil {
		return nil, Report{}, err
	}
	column, err := t.column(o.Column)
	if err != nil {
		return nil, Report{}, err
	}
	f := &filler{table: t, column: column, options: o, report: Report{Column: t.rows[0].cells[column]}}
	f.index()
	f.assign(grades)
	return t.bytes(), f.report, nil
}

// row is one row of a table, with the bytes that it was read from.
type row struct {
	cells   []string
	raw     []byte
	changed bool
}

// table is a CSV file whose unchanged rows keep their bytes.
type table struct {
	rows  []row
	comma rune
	crlf  bool
	bom   bool
}

const bom = "\ufeff"

func parse(book []byte) (*table, error) {
	t := &table{comma: ','}
	book, t.bom = bytes.TrimPrefix(book, []byte(bom)), bytes.HasPrefix(book, []byte(bom))
	head, _, _ := bytes.Cut(book, []byte("\n"))
	t.crlf = bytes.HasSuffix(head, []byte("\r"))
	for _, c := range []rune{';', '\t'} {
		if bytes.Count(head, []byte(string(c))) > bytes.Count(head, []byte(string(t.comma))) {
			t.comma = c
		}
	}
	r := csv.NewReader(bytes.NewReader(book))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = t.comma, -1, true
	for {
		start := r.InputOffset()
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, input.New("export it again as CSV", "the gradebook is not a table: %w", err)
		}
		t.rows = append(t.rows, row{cells: cells, raw: book[start:r.InputOffset()]})
	}
	if len(t.rows) < 2 {
		return nil, input.New("export it again as CSV", "the gradebook has no rows")
	}
	return t, nil
}

// suffix is what platforms append to the name of an assignment: its number, or the form of its
// grades.
var suffix = regexp.MustCompile(`\s*\((\d+|Real|Percentage|Letter)\)$`)

// column finds the column to fill by its header.
func (t *table) column(name string) (int, error) {
	var exact, found []int
	for i, h := range t.rows[0].cells {
		plain := suffix.ReplaceAllString(h, "")
		switch {
		case h == name:
			exact = append(exact, i)
		case plain == name, strings.HasSuffix(plain, ":"+name), strings.HasSuffix(plain, ": "+name):
			found = append(found, i)
		}
	}
	if len(exact) > 0 {
		found = exact
	}
	switch {
	case len(found) == 1 && !identity(t.rows[0].cells[found[0]]):
		return found[0], nil
	case len(found) > 1:
		return 0, input.New("write its whole header", "the gradebook has %d columns %q", len(found), name)
	}
	var known []string
	for _, h := range t.rows[0].cells {
		if !identity(h) {
			known = append(known, h)
		}
	}
	return 0, input.New("make the assignment first and export the gradebook again; it has "+strings.Join(known, ", "),
		"the gradebook has no column %q for grades", name)
}

// identity reports whether a column says who a learner is.
func identity(header string) bool { return slices.Contains(identities(), strings.ToLower(header)) }

func identities() []string {
	return []string{"student", "id", "sis user id", "sis login id", "integration id", "root account", "section",
		"first name", "last name", "surname", "full name", "name", "username", "id number", "identifier", "email",
		"email address", "institution", "department"}
}

// filler assigns grades to rows.
type filler struct {
	table   *table
	column  int
	options Options
	// byID and byName are the rows of learners, by what identifies them in lower case.
	byID, byName, byCanvas map[string][]int
	report                 Report
	possible               float64
}

// index collects who is in which row.
func (f *filler) index() {
	f.byID, f.byName, f.byCanvas = map[string][]int{}, map[string][]int{}, map[string][]int{}
	header := f.table.rows[0].cells
	for i, r := range f.table.rows[1:] {
		var first, last string
		for n, cell := range r.cells {
			if n >= len(header) || strings.TrimSpace(cell) == "" {
				continue
			}
			switch h := strings.ToLower(header[n]); h {
			case "student", "full name", "name":
				f.isPossible(i+1, cell)
				add(f.byName, nameKey(cell), i+1)
			case "first name":
				first = cell
			case "last name", "surname":
				last = cell
			case "id":
				add(f.byCanvas, key(cell), i+1)
				add(f.byID, key(cell), i+1)
			case "sis user id", "sis login id", "integration id", "username", "id number", "identifier", "email",
				"email address":
				add(f.byID, key(cell), i+1)
			}
		}
		if first+last != "" {
			add(f.byName, nameKey(first+" "+last), i+1)
		}
	}
}

// isPossible reads the row of a Canvas gradebook with the points that can be had.
func (f *filler) isPossible(i int, cell string) {
	if f.options.Kind != Canvas || !strings.Contains(cell, "Points Possible") {
		return
	}
	if cells := f.table.rows[i].cells; f.column < len(cells) {
		if p, err := strconv.ParseFloat(strings.TrimSpace(cells[f.column]), 64); err == nil && p > 0 {
			f.possible = p
		}
	}
}

func add(m map[string][]int, key string, i int) {
	if key != "" && !slices.Contains(m[key], i) {
		m[key] = append(m[key], i)
	}
}

func key(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// nameKey is a full name without regard to the order of its parts: Doe, Jane is Jane Doe.
func nameKey(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == ',' || r == '_' })
	slices.Sort(words)
	return strings.Join(words, " ")
}

// rowsOf returns the rows that may be a learner's, by the strongest identification that finds any.
func (f *filler) rowsOf(g Grade) []int {
	if g.CanvasID != "" {
		if rows := f.byCanvas[key(g.CanvasID)]; len(rows) > 0 {
			return rows
		}
	}
	if rows := f.byID[key(g.Learner)]; len(rows) > 0 {
		return rows
	}
	if g.FullName != "" {
		return f.byName[nameKey(g.FullName)]
	}
	return f.byName[nameKey(g.Learner)]
}

func (f *filler) assign(grades []Grade) {
	owners := map[int][]int{} // grades by row
	for i, g := range grades {
		switch rows := f.rowsOf(g); len(rows) {
		case 0:
			f.report.Unknown = append(f.report.Unknown, g.Learner)
		case 1:
			owners[rows[0]] = append(owners[rows[0]], i)
		default:
			f.report.Ambiguous = append(f.report.Ambiguous, g.Learner)
		}
	}
	for n := range f.table.rows {
		switch all := owners[n]; len(all) {
		case 0:
		case 1:
			f.fill(n, grades[all[0]])
		default:
			for _, i := range all {
				f.report.Ambiguous = append(f.report.Ambiguous, grades[i].Learner)
			}
		}
	}
}

// fill writes one grade.
func (f *filler) fill(n int, g Grade) {
	if g.Share == nil {
		f.report.NotGraded = append(f.report.NotGraded, g.Learner)
		return
	}
	r := &f.table.rows[n]
	for len(r.cells) <= f.column {
		r.cells = append(r.cells, "")
	}
	value := strconv.FormatFloat(math.Round(*g.Share*f.scale(g)*100)/100, 'f', -1, 64)
	old := strings.TrimSpace(r.cells[f.column])
	if old != "" && old != "-" && old != value {
		f.report.Replaced++
	}
	f.report.Filled++
	r.cells[f.column], r.changed = value, true
}

// scale is what full points are worth.
func (f *filler) scale(g Grade) float64 {
	switch {
	case f.options.Scale > 0:
		return f.options.Scale
	case f.possible > 0:
		return f.possible
	case strings.HasSuffix(f.report.Column, "(Percentage)"):
		return 100
	}
	return float64(g.Max)
}

// bytes returns the table. Rows that were not changed have the bytes that they were read from.
func (t *table) bytes() []byte {
	var b bytes.Buffer
	if t.bom {
		b.WriteString(bom)
	}
	for _, r := range t.rows {
		if !r.changed {
			b.Write(r.raw)
			continue
		}
		w := csv.NewWriter(&b)
		w.Comma, w.UseCRLF = t.comma, t.crlf
		_ = w.Write(r.cells) // a buffer takes everything
		w.Flush()
	}
	return b.Bytes()
}

// Text is the report for people.
func (r Report) Text() string {
	text := fmt.Sprintf("column %q: %d filled, %d of them had another grade", r.Column, r.Filled, r.Replaced)
	for _, l := range []struct {
		what string
		who  []string
	}{{"without a grade", r.NotGraded}, {"not in the gradebook", r.Unknown}, {"ambiguous", r.Ambiguous}} {
		if len(l.who) > 0 {
			text += fmt.Sprintf("; %s: %s", l.what, strings.Join(l.who, ", "))
		}
	}
	return text
}
