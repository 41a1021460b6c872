package pacer

import (
	"os"
	"testing"
)

func TestCloseFreesTheDescriptor(t *testing.T) {
	// The first timer starts the poller, which has descriptors of its own.
	for i, before := 0, 0; i < 20; i++ {
		timer, err := NewTimer()
		if err != nil {
			t.Fatal(err)
		}
		if err := timer.Close(); err != nil {
			t.Fatal(err)
		}
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && len(open) != before {
			t.Fatalf("%d descriptors are open, %d before", len(open), before)
		}
		before = len(open)
	}
}
