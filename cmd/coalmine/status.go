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

// statusTimeout bounds how long status waits for a cluster that does not respond.
const statusTimeout = 5 * time.Second

func newStatusCommand(env *Env) *cobra.Command {
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the kind cluster",
		Long: "Show the state of the kind cluster: containers, mesh, versions, install steps, pods that are not " +
			"ready, expiry of the mesh's certificates, memory and CPU use. It changes nothing. For a thorough " +
			"check, use coalmine check.\n\n" +
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
	// Error is why the Kubernetes API could not be queried.
	Error    string            `json:"error,omitempty"`
	Mesh     string            `json:"mesh,omitempty"`
	Source   string            `json:"source,omitempty"`
	Image    string            `json:"image,omitempty"`
	Versions map[string]string `json:"versions,omitempty"`
	Steps    []stepStatus      `json:"steps,omitempty"`
	NotReady []podStatus       `json:"notReady"`
	// AnchorEnds and IssuerEnds are when the mesh's certificates expire.
	AnchorEnds *time.Time `json:"anchorEnds,omitempty"`
	IssuerEnds *time.Time `json:"issuerEnds,omitempty"`
	// MemoryBytes is the working set of the cluster's containers, CPUCores their current CPU use.
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
	// Usage takes a moment to measure; query the cluster meanwhile.
	var usage kindcluster.Usage
	var measuring sync.WaitGroup
	measuring.Go(func() { usage, _ = c.Usage(ctx) }) // a stopped node has no usage
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
		Cluster: name, State: r.State, Up: r.Up(), Mesh: r.Recorded[install.KeyMesh],
		Image:  r.Recorded[install.KeyImage],
		Source: r.Recorded[install.KeyBundle], Versions: r.Versions, NotReady: []podStatus{}, MemoryBytes: u.Memory,
		CPUCores: u.CPU,
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

// write prints a line for each known fact.
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
		line("certificates", "issuer expires in %s, anchor in %s",
			inDays(s.IssuerEnds.Sub(now)), inDays(s.AnchorEnds.Sub(now)))
	}
	if s.MemoryBytes > 0 {
		line("uses", "%.2f GiB of memory, %.2f cores", float64(s.MemoryBytes)/(1<<30), s.CPUCores)
	}
	for _, p := range s.NotReady {
		line("not ready", "%s/%s: %s", p.Namespace, p.Name, p.Reason)
	}
}

// summary describes the state of the cluster and what to do if it is not up.
func (s clusterStatus) summary() string {
	up := "coalmine up --name " + s.Cluster
	switch {
	case s.Up:
		return "up"
	case s.State == kindcluster.Absent:
		return "does not exist; create it with: " + up
	case s.State == kindcluster.Foreign:
		return "was not created by coalmine"
	case s.State == kindcluster.Incomplete, s.State == kindcluster.Stopped:
		return string(s.State) + "; continue with: " + up
	}
	return "not up; continue with: " + up
}

func versionLine(versions map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		list = append(list, name+" "+versions[name])
	}
	return strings.Join(list, ", ")
}

// stepSummary counts the steps and names the first one that is not done.
func stepSummary(list []stepStatus) string {
	for i, p := range list {
		if p.State != steps.AlreadyDone {
			text := fmt.Sprintf("%d of %d done, next is %s", i, len(list), p.Name)
			if p.Error != "" {
				text += ": " + p.Error
			}
			return text
		}
	}
	return fmt.Sprintf("all %d done", len(list))
}

func inDays(d time.Duration) string { return format.Plural(int(d.Hours()/24), "day") }
