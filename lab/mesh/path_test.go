package mesh_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/mesh"
)

// way has the counters of a path, which count at once or together.
type way struct {
	reg     *mesh.Registry
	in      *mesh.Inbound
	out     *mesh.Outbound
	backend *mesh.BackendStats
	route   *mesh.RouteStats
	path    *mesh.Path
}

func newWay(reg *mesh.Registry) way {
	server, client := reg.Proxy(1, []mesh.Label{{"pod", "server"}}), reg.Proxy(2, []mesh.Label{{"pod", "client"}})
	addr := netip.MustParseAddrPort("10.0.0.1:8080")
	parent := mesh.ServicePort{Namespace: "shop", Name: "server", Port: 80}
	w := way{reg: reg,
		in:    server.Inbound(addr, mesh.Client{Identity: "client"}, mesh.Verdict{Allowed: true, Port: 8080}),
		out:   client.Outbound(mesh.Destination{Addr: addr, Service: "server", Namespace: "shop", Port: 80}),
		route: client.Route(parent, nil), backend: client.Backend(parent, nil, parent),
	}
	w.path = reg.Path(w.in, w.out, w.route, w.backend)
	return w
}

// at counts a response at once.
func (w way) at(now time.Duration, status int, latency time.Duration) {
	w.in.Response(now, status, latency)
	w.out.Response(now, status, latency)
	w.backend.Response(status, "", latency)
	w.route.Response(status, "", latency)
}

func text(reg *mesh.Registry, now time.Duration) string {
	text := ""
	reg.Collect(now, func(id int, labels []mesh.Label, v float64) { text += fmt.Sprintln(id, labels, v) })
	return text
}

// A path counts like the metrics that it stands for, whenever they are asked for, and also when pods
// restart or are removed and idle series end.
func TestPathsCountLikeTheirMetrics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, two := newWay(mesh.NewRegistry()), newWay(mesh.NewRegistry())
		now := time.Duration(0)
		status := rapid.SampledFrom([]int{200, 404, 500, 503})
		latency := rapid.OneOf(
			rapid.Map(rapid.Int64Range(0, 2e9), func(n int64) time.Duration { return time.Duration(n) }),
			rapid.SampledFrom([]time.Duration{time.Millisecond, 5 * time.Millisecond, time.Second, 10 * time.Second,
				time.Minute}))
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now += time.Duration(rapid.IntRange(0, 700).Draw(t, "seconds")) * time.Second
			},
			"request": func(*rapid.T) {
				one.in.Request(now)
				two.in.Request(now)
			},
			"along the path": func(t *rapid.T) {
				s, l := status.Draw(t, "status"), latency.Draw(t, "latency")
				one.path.Response(now, s, l)
				two.at(now, s, l)
			},
			"at once": func(t *rapid.T) {
				s, l := status.Draw(t, "status"), latency.Draw(t, "latency")
				one.at(now, s, l)
				two.at(now, s, l)
			},
			"restart": func(t *rapid.T) {
				owner := rapid.IntRange(1, 2).Draw(t, "owner")
				one.reg.Reset(owner)
				two.reg.Reset(owner)
			},
			"removal": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
					one.reg.Remove(1)
					two.reg.Remove(1)
				}
			},
			"": func(t *rapid.T) {
				if rapid.IntRange(0, 7).Draw(t, "scrape") > 0 {
					return
				}
				if got, want := text(one.reg, now), text(two.reg, now); got != want {
					t.Fatalf("along the path:\n%s\nat once:\n%s", got, want)
				}
			},
		})
		if got, want := text(one.reg, now), text(two.reg, now); got != want {
			t.Fatalf("along the path:\n%s\nat once:\n%s", got, want)
		}
	})
}
