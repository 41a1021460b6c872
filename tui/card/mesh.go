package card

import (
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// writeMesh says what the mesh did in the selected run, or in the one that shows most.
func (c *Card) writeMesh(p *page) {
	r, _ := model.Highlight(c.trial.Card.Runs)
	if all := c.targets(); c.selected < len(all) && all[c.selected].row != nil {
		r = *all[c.selected].row
	}
	table := meshTable(r)
	if len(table) == 0 {
		return
	}
	p.section("Mesh", r.Run)
	p.wrapped(3, theme.Muted, model.MeshText(r))
	widths := []int{6, 6, 0, 10, 15, 11, 9, 9, 8}[:len(table[0])]
	widths[2] = p.width - 5
	for n, w := range widths {
		if n != 2 {
			widths[2] -= w
		}
	}
	widths[2] = min(widths[2], 24)
	for n, row := range table {
		style := theme.Plain
		if n == 0 {
			style = theme.Muted
		}
		p.add(func(a canvas.Area, y int) {
			a.Text(3, y, style, row[0])
			a.Right(3+widths[0]+widths[1], y, style, row[1])
			x := 5 + widths[0] + widths[1]
			a.Text(x, y, style, canvas.Truncate(row[2], widths[2]))
			x += widths[2]
			for i, text := range row[3:] {
				x += widths[3+i]
				a.Right(x, y, style, text)
			}
		})
	}
}

// meshTable returns the table of what the mesh did, with its heads and without the last columns in
// which nothing happened.
func meshTable(r score.Row) [][]string {
	rows := model.MeshTable(r)
	if len(rows) == 0 {
		return nil
	}
	nothing := []string{"0", "", format.Missing}
	rows = append([][]string{model.MeshColumns()}, rows...)
	for n := len(rows[0]) - 1; n > 4; n-- {
		if slices.ContainsFunc(rows[1:], func(row []string) bool { return !slices.Contains(nothing, row[n]) }) {
			break
		}
		for i := range rows {
			rows[i] = rows[i][:n]
		}
	}
	return rows
}
