package main

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"coalmine/loadgen"
)

// loadNotice says what a plan sends to hosts other than this machine, and which of it may change
// data there. It is "" if there is nothing to say.
func loadNotice(plan *loadgen.Plan, targets []string) string {
	hosts := otherHosts(targets)
	methods := changingMethods(plan)
	if len(hosts) == 0 && len(methods) == 0 {
		return ""
	}
	where := "this machine"
	if len(hosts) > 0 {
		where = strings.Join(hosts, ", ")
	}
	notice := fmt.Sprintf("sending about %.0f requests to %s", plan.Expected(), where)
	if len(methods) > 0 {
		notice += ", also " + strings.Join(methods, ", ") + ", which may change data"
	}
	if len(hosts) > 0 {
		notice += "; make sure that its owner agrees"
	}
	return notice
}

// otherHosts returns the hosts of the targets that are not this machine. A target is a URL, or
// SERVICE=URL.
func otherHosts(targets []string) []string {
	var hosts []string
	for _, t := range targets {
		if name, rest, ok := strings.Cut(t, "="); ok && !strings.Contains(name, "/") {
			t = rest
		}
		u, err := url.Parse(t)
		if err != nil || u.Host == "" || isThisMachine(u.Hostname()) || slices.Contains(hosts, u.Host) {
			continue
		}
		hosts = append(hosts, u.Host)
	}
	return hosts
}

func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// changingMethods returns the methods of the plan's requests that are not safe (RFC 9110, section
// 9.2.1).
func changingMethods(plan *loadgen.Plan) []string {
	methods := map[string]bool{}
	w := plan.Workload()
	if w.Replay != nil {
		for _, l := range w.Replay.Lines {
			methods[l.Method] = true
		}
	} else {
		for _, r := range w.Routes {
			methods[r.Method] = true
		}
	}
	for _, safe := range []string{"", "GET", "HEAD", "OPTIONS", "TRACE"} {
		delete(methods, safe)
	}
	return slices.Sorted(maps.Keys(methods))
}
