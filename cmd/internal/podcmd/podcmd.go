// Package podcmd has the commands that run in the lab's pods: the agent, the traffic pods and the
// demo services. The program coalmine-agent consists of them. The program coalmine has them as
// well: app for everyone, the others hidden, for builds in which the pods run coalmine itself.
package podcmd

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/scenario"
)

// Env is what the commands take from the process around them.
type Env struct {
	Out, Err io.Writer
	Getenv   func(string) string
	// Path makes a user's path usable from anywhere.
	Path func(string) string
	// Scenario loads a scenario by the name or path that the user gave.
	Scenario func(name string) (*scenario.Scenario, error)
}

// readRunSpec reads what the pods of a run are started for.
func (env *Env) readRunSpec(path string) (client.RunSpec, error) {
	var spec client.RunSpec
	data, err := os.ReadFile(env.Path(path))
	if err != nil {
		return spec, fmt.Errorf("the run spec: %w", err)
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return spec, fmt.Errorf("the run spec %s: %w", path, err)
	}
	return spec, nil
}
