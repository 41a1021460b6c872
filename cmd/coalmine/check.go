package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/image"
	"coalmine/lab/cluster/names"
	"coalmine/lab/format"
	"coalmine/lab/preflight"
	"coalmine/lab/verdict/score"
)

func newCheckCommand(env *Env) *cobra.Command {
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the kind cluster before a run",
		Long: "Check the kind cluster before a run: Docker, the cluster, certificates and their expiry, proxies and " +
			"mTLS, policy, Flagger, and whether Prometheus has the series that guardrails query. It changes " +
			"nothing.\n\n" +
			"Exit codes: 0 all checks passed or have warnings, 1 a check failed.",
		Example: `coalmine check
coalmine check --name classroom --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return env.preflight(cmd.Context(), name, asJSON) },
	}
	cmd.Flags().StringVar(&name, "name", names.DefaultCluster, "`NAME` of the kind cluster")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (env *Env) preflight(ctx context.Context, name string, asJSON bool) error {
	lab := &preflight.Lab{
		Cluster: name, Engine: preflight.Docker{}, Connect: preflight.Connect, Prometheus: preflight.OverPortForward,
		Now: env.Now,
	}
	defer lab.Close()
	if own, err := image.Agent(ctx, runtime.GOARCH); err == nil {
		_, lab.Image, _ = strings.Cut(own.Ref(), ":")
	}
	report := func(preflight.Result) {}
	if !asJSON {
		report = checkPrinter(env.Out)
	}
	results := preflight.Run(ctx, preflight.Checks(), lab, report)
	if asJSON {
		if err := writeChecks(env.Out, lab, results); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(env.Out, "\n"+checksSummary(results))
	}
	if preflight.Worst(results) == preflight.Failed {
		return outcome(score.ExitLabFailed)
	}
	return nil
}

// checkPrinter returns a function that prints results as they arrive, grouped.
func checkPrinter(w io.Writer) func(preflight.Result) {
	group := ""
	signs := map[preflight.Level]string{
		preflight.OK: "√", preflight.Warning: "‼", preflight.Failed: "×", preflight.Skipped: "-",
	}
	return func(r preflight.Result) {
		if r.Group != group {
			if group != "" {
				fmt.Fprintln(w)
			}
			group = r.Group
			fmt.Fprintln(w, group)
		}
		line := signs[r.Level] + " " + r.Title
		if r.Detail != "" {
			line += ": " + r.Detail
		}
		fmt.Fprintln(w, line)
		if r.Hint != "" {
			fmt.Fprintln(w, "    "+r.Hint)
		}
	}
}

// checksSummary counts the results by level.
func checksSummary(results []preflight.Result) string {
	n := map[preflight.Level]int{}
	for _, r := range results {
		n[r.Level]++
	}
	text := fmt.Sprintf("%s: %d passed", format.Plural(len(results), "check"), n[preflight.OK])
	for _, l := range []struct {
		level preflight.Level
		text  string
	}{{preflight.Warning, "with warnings"}, {preflight.Failed, "failed"}, {preflight.Skipped, "skipped"}} {
		if n[l.level] > 0 {
			text += fmt.Sprintf(", %d %s", n[l.level], l.text)
		}
	}
	return text
}

func writeChecks(w io.Writer, lab *preflight.Lab, results []preflight.Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Cluster string             `json:"cluster"`
		Mesh    string             `json:"mesh,omitempty"`
		Level   preflight.Level    `json:"level"`
		Checks  []preflight.Result `json:"checks"`
	}{lab.Cluster, lab.Mesh(), preflight.Worst(results), results})
}
