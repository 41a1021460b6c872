package plain_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/tui/liveruntest"
	"coalmine/tui/plain"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func TestRun(t *testing.T) {
	tr := liveruntest.Caught()
	var b bytes.Buffer
	for i := range tr.Runs {
		if err := plain.Run(&b, tr, i); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	const path = "testdata/caught.txt"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./tui/plain -update:\n%s", path, diff)
	}
}
