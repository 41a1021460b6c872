package recordings

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page has the table of known differences.
const page = "../../../docs/linkerd.md"

// mostRows is how many rows the table may have.
const mostRows = 6

// known is a row of the table: differences that the model is known to have, and why.
type known struct {
	recordings []string // patterns of names
	difference *regexp.Regexp
	reason     string
	seen       bool
}

func (k *known) covers(recording, difference string) bool {
	return k.difference.MatchString(difference) && slices.ContainsFunc(k.recordings, func(pattern string) bool {
		ok, err := path.Match(pattern, recording)
		return ok && err == nil
	})
}

// readTable reads the rows below the heading "Differences": | recordings | `difference` | reason |.
func readTable(t *testing.T) []*known {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n## Differences\n")
	if !ok {
		t.Fatalf("%s has no section Differences", page)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []*known
	for line := range strings.SplitSeq(section, "\n") {
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 3 || strings.HasPrefix(cells[0], "---") ||
			strings.TrimSpace(cells[0]) == "Recordings" {
			continue
		}
		pattern := strings.ReplaceAll(strings.Trim(strings.TrimSpace(cells[1]), "`"), "\x00", "|")
		re, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		row := &known{difference: re, reason: strings.TrimSpace(cells[2])}
		for name := range strings.SplitSeq(cells[0], ",") {
			row.recordings = append(row.recordings, strings.TrimSpace(name))
		}
		if row.reason == "" {
			t.Errorf("%s: the row %q has no reason", page, line)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestRecordings plays every recording. The model may differ from real Linkerd only where the table
// says so, and where the table says so, it must.
func TestRecordings(t *testing.T) {
	table := readTable(t)
	if len(table) > mostRows {
		t.Errorf("%s has %d rows, more than %d", page, len(table), mostRows)
	}
	all, ran := load(t), 0
	for _, r := range all {
		t.Run(r.Name, func(t *testing.T) {
			ran++
			for _, d := range differences(t, r) {
				found := false
				for _, k := range table {
					if k.covers(r.Name, d) {
						k.seen, found = true, true
					}
				}
				if !found {
					t.Error(d)
				}
			}
		})
	}
	if os.Getenv("COALMINE_LINKERD_RECORDINGS") != "" || t.Failed() || ran < len(all) {
		return
	}
	for _, k := range table {
		if !k.seen {
			t.Errorf("%s: the model differs no more as the row of %s says: remove it", page,
				strings.Join(k.recordings, ", "))
		}
	}
}

// differences plays a recording under all seeds and returns where the model differs.
func differences(t *testing.T, r recording) []string {
	t.Helper()
	var runs [][]played
	var clusters []*cluster
	for seed := range uint64(seeds) {
		results, c, err := play(r, seed)
		if err != nil {
			t.Fatal(err)
		}
		runs, clusters = append(runs, results), append(clusters, c)
	}
	var diffs []string
	i := 0
	for _, s := range r.Steps {
		for j, q := range s.Send {
			var same []played
			for _, results := range runs {
				same = append(same, results[i])
			}
			i++
			d, err := compareAnswers(q, s.Got[j], same)
			if err != nil {
				t.Fatal(err)
			}
			diffs = append(diffs, d...)
		}
	}
	return append(diffs, compareSeries(t, r, clusters)...)
}
