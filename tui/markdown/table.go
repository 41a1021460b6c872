package markdown

import (
	"strings"

	extast "github.com/yuin/goldmark/extension/ast"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// gap separates the columns of a table.
const gap = "  "

// table lays out a table: a bold header, a rule, and rows whose cells wrap within their columns.
func (r renderer) table(t *extast.Table, width int) []Line {
	var rows [][][]glyph
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		style := theme.Plain
		if len(rows) == 0 {
			style = theme.Bold
		}
		var cells [][]glyph
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, r.inline(cell, style))
		}
		rows = append(rows, cells)
	}
	widths := columnWidths(rows, width)
	if widths == nil {
		return records(rows, width)
	}
	var lines []Line
	for i, row := range rows {
		lines = append(lines, tableRow(row, widths)...)
		if i == 0 {
			lines = append(lines, rule(widths))
		}
	}
	return lines
}

// minColumn is the width to which a column may shrink.
const minColumn = 8

// columnWidths returns the widths of the columns: the widest one shrinks until all fit. It returns
// nil if they cannot.
func columnWidths(rows [][][]glyph, width int) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 1)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= minColumn {
			return nil
		}
		widths[widest]--
	}
	return widths
}

func columns(cell []glyph) int {
	n := 0
	for _, g := range cell {
		n += canvas.RuneWidth(g.r)
	}
	return n
}

// tableRow lays out the cells of a row side by side.
func tableRow(row [][]glyph, widths []int) []Line {
	var lines []Line
	x := 0
	for i, cell := range row {
		for y, part := range flow(cell, widths[i]) {
			for y >= len(lines) {
				lines = append(lines, nil)
			}
			if fill := x - canvas.Width(lines[y].String()); fill > 0 {
				lines[y] = append(lines[y], Span{theme.Plain, strings.Repeat(" ", fill)})
			}
			lines[y] = append(lines[y], part...)
		}
		x += widths[i] + len(gap)
	}
	return lines
}

func rule(widths []int) Line {
	parts := make([]string, len(widths))
	for i, w := range widths {
		parts[i] = strings.Repeat("─", w)
	}
	return Line{{theme.Muted, strings.Join(parts, gap)}}
}

// records lays out a table that is too wide: each cell on lines of its own, below the others.
func records(rows [][][]glyph, width int) []Line {
	var lines []Line
	for i, row := range rows {
		if i > 0 {
			lines = append(lines, nil)
		}
		for _, cell := range row {
			lines = append(lines, flow(cell, width)...)
		}
	}
	return lines
}
