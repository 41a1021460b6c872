package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/install"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/format"
	"coalmine/lab/verdict/score"
)

// statusTimeout bounds how long status waits for a cluster that does not answer.
const statusTimeout = 5 * time.Second

func newStatusCommand(env *Env) *cobra.Command {
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell at a glance how the real cluster is",
		Long: "Tell at a glance how the real cluster is: its containers, mesh, versions, the steps of its bring-up, pods that are not ready, when " +
			"its certificates end, and the memory and processor time that it takes. It changes nothing; coalmine check looks closer.\n\n" +
			"Exit codes: 0 up, 1 not up.",
		Example: `coalmine status
coalmine status --name second --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkCluster(name); err != nil {
				return err
			}
			return env.status(cmd.Context(), name, asJSON)
		},
	}
	clusterFlag(cmd, &name)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// clusterStatus is what status prints, as JSON. Times are RFC 3339; sizes are bytes.
type clusterStatus struct {
	Cluster string            `json:"cluster"`
	State   kindcluster.State `json:"state"`
	Up      bool              `json:"up"`
	// Error is why Kubernetes could not be asked.
	Error    string            `json:"error,omitempty"`
	Mesh     string            `json:"mesh,omitempty"`
	Source   string            `json:"source,omitempty"`
	Image    string            `json:"image,omitempty"`
	Versions map[string]string `json:"versions,omitempty"`
	Steps    []stepStatus      `json:"steps,omitempty"`
	NotReady []podStatus       `json:"notReady"`
	// AnchorEnds and IssuerEnds are when the mesh's certificates do.
	AnchorEnds *time.Time `json:"anchorEnds,omitempty"`
	IssuerEnds *time.Time `json:"issuerEnds,omitempty"`
	// MemoryBytes is the working set of the cluster's containers, CPUCores what they take of the processors just now.
	MemoryBytes int64   `json:"memoryBytes,omitempty"`
	CPUCores    float64 `json:"cpuCores,omitempty"`
}

type stepStatus struct {
	Name  string      `json:"name"`
	State steps.State `json:"state"`
	Error string      `json:"error,omitempty"`
}

type podStatus struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Reason    string `json:"reason"`
}

func (env *Env) status(ctx context.Context, name string, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	c := kindcluster.New(name)
	// Measuring takes a moment, in which the rest is asked.
	var usage kindcluster.Usage
	var measuring sync.WaitGroup
	measuring.Go(func() { usage, _ = c.Usage(ctx) }) // a stopped node has none
	report, err := install.Inspect(ctx, c, env.Now())
	measuring.Wait()
	if err != nil {
		return clusterError(err)
	}
	s := statusOf(name, report, usage)
	if asJSON {
		err = writeJSON(env.Out, s)
	} else {
		s.write(env.Out, env.Now())
	}
	if err == nil && !s.Up {
		return outcome(score.ExitLabFailed)
	}
	return err
}

func statusOf(name string, r install.Report, u kindcluster.Usage) clusterStatus {
	s := clusterStatus{
		Cluster: name, State: r.State, Up: r.Up(), Mesh: r.Recorded[install.KeyMesh], Image: r.Recorded[install.KeyImage],
		Source: r.Recorded[install.KeyBundle], Versions: r.Versions, NotReady: []podStatus{}, MemoryBytes: u.Memory, CPUCores: u.CPU,
	}
	if r.Err != nil {
		s.Error = r.Err.Error()
	}
	for _, p := range r.Steps {
		step := stepStatus{Name: p.Step.Name, State: p.State}
		if p.Err != nil {
			step.Error = p.Err.Error()
		}
		s.Steps = append(s.Steps, step)
	}
	for _, p := range r.NotReady {
		s.NotReady = append(s.NotReady, podStatus(p))
	}
	if !r.Issuer.IsZero() {
		s.AnchorEnds, s.IssuerEnds = &r.Anchor, &r.Issuer
	}
	return s
}

// write writes a line for each thing that is known.
func (s clusterStatus) write(w io.Writer, now time.Time) {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%-13s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("cluster", "%s, %s", s.Cluster, s.summary())
	if s.State == kindcluster.Absent || s.State == kindcluster.Foreign {
		return
	}
	if s.Error != "" {
		line("error", "%s", s.Error)
	}
	if s.Mesh != "" {
		line("mesh", "%s", s.Mesh)
	}
	if s.Source != "" {
		line("from", "%s", s.Source)
	}
	if len(s.Versions) > 0 {
		line("versions", "%s", versionLine(s.Versions))
	}
	if len(s.Steps) > 0 {
		line("steps", "%s", stepSummary(s.Steps))
	}
	if s.IssuerEnds != nil {
		line("certificates", "issuer ends in %s, anchor in %s", inDays(s.IssuerEnds.Sub(now)), inDays(s.AnchorEnds.Sub(now)))
	}
	if s.MemoryBytes > 0 {
		line("takes", "%.2f GiB of memory, %.2f cores", float64(s.MemoryBytes)/(1<<30), s.CPUCores)
	}
	for _, p := range s.NotReady {
		line("not ready", "%s/%s: %s", p.Namespace, p.Name, p.Reason)
	}
}

// summary say how the cluster is, and what to do unless it is up.
func (s clusterStatus) summary() string {
	again := "coalmine up --name " + s.Cluster
	switch {
	case s.Up:
		return "up"
	case s.State == kindcluster.Absent:
		return "is not there; bring it up by: " + again
	case s.State == kindcluster.Foreign:
		return "was not made by coalmine"
	case s.State == kindcluster.Incomplete, s.State == kindcluster.Stopped:
		return string(s.State) + "; go on by: " + again
	}
	return "not up; go on by: " + again
}

func versionLine(versions map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		words = append(words, name+" "+versions[name])
	}
	return strings.Join(words, ", ")
}

// stepSummary count the steps, and name the first that is missing.
func stepSummary(list []stepStatus) string {
	for i, p := range list {
		if p.State != steps.AlreadyDone {
			words := fmt.Sprintf("%d of %d done, %s is next", i, len(list), p.Name)
			if p.Error != "" {
				words += ": " + p.Error
			}
			return words
		}
	}
	return fmt.Sprintf("all %d done", len(list))
}

func inDays(d time.Duration) string { return format.Plural(int(d.Hours()/24), "day") }
