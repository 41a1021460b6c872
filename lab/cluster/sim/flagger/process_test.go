package flagger_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	flaggerfake "github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	client "github.com/prometheus/client_golang/prometheus"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster/sim/flagger"
	"coalmine/lab/cluster/sim/vclock"
)

// started starts two Flaggers without canaries, calls during, and stops them.
func started(t *testing.T, during func(one, other *flagger.Controller)) {
	t.Helper()
	err := vclock.Run(func() error {
		var both [2]*flagger.Controller
		for i := range both {
			f, err := flagger.Start(flagger.Clients{Kube: fake.NewSimpleClientset(),
				Flagger: flaggerfake.NewSimpleClientset()}, "http://process.test", &witness{})
			if err != nil {
				return err
			}
			both[i] = f
		}
		during(both[0], both[1])
		return errors.Join(both[0].Stop(context.Background()), both[1].Stop(context.Background()))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// client-go's own error handlers use a clock started outside the bubble: an error of an informer
// would take virtual years.
func TestErrorsTakeNoTime(t *testing.T) {
	started(t, func(_, _ *flagger.Controller) {})
	err := vclock.Run(func() error {
		before := time.Now()
		for range 1000 {
			utilruntime.HandleError(errors.New("test"))
		}
		if passed := time.Since(before); passed != 0 {
			t.Errorf("1,000 errors took %v of virtual time", passed)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// families returns the names of the metrics in a registry that are Flagger's own.
func families(t *testing.T, g client.Gatherer) []string {
	t.Helper()
	all, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "flagger_") {
			names = append(names, f.GetName())
		}
	}
	return names
}

func TestEachRunHasItsOwnRegistry(t *testing.T) {
	before := client.DefaultRegisterer
	started(t, func(one, other *flagger.Controller) {
		if one.Registry() == other.Registry() {
			t.Error("two runs share a registry")
		}
		if len(families(t, one.Registry())) == 0 || len(families(t, other.Registry())) == 0 {
			t.Error("a run's registry has no flagger_ metrics")
		}
	})
	if names := families(t, client.DefaultGatherer); len(names) > 0 || client.DefaultRegisterer != before {
		t.Errorf("the process's own registry has %v: want nothing from a run", names)
	}
}

// The broadcaster that Flagger's constructor starts is stopped before Flagger runs. The test fails
// if a new version starts another one, or logs in another way.
func TestNoBroadcasterIsLeft(t *testing.T) {
	started(t, func(_, _ *flagger.Controller) {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, part := range []string{"tools/record.", "pkg/watch.(*Broadcaster)"} {
			if strings.Contains(string(stacks), part) {
				t.Errorf("a goroutine of %s is left while Flagger runs", part)
			}
		}
	})
}
