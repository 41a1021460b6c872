// Package folder keeps a trial in a folder, its run folder, and reads it back.
//
//	run.json             what was asked for: seeds, versions, options
//	scenario/            the scenario as it was played
//	guardrails/          the manifests as they were read
//	runs/ROLE-seedN/     events.jsonl, one folder for each run
//	card.json, card.txt  the score
//	report.html          the score and its story as a page
//	postmortem.md        the draft of a postmortem
//
// A run folder holds all that its score rests on and nothing of the machine or the hour it was made on, so that the same
// inputs give the same bytes. What is read back may come from elsewhere: it is bounded in size and links do not lead out of
// it. The package knows events, not what they mean for a score.
package folder

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Format is the version of the folder's layout and of run.json.
const Format = 1

// Names in a run folder.
const (
	fileManifest   = "run.json"
	fileCardJSON   = "card.json"
	fileCardText   = "card.txt"
	fileReport     = "report.html"
	filePostmortem = "postmortem.md"
	fileEvents     = "events.jsonl"
	dirScenario    = "scenario"
	dirGuardrails  = "guardrails"
	dirRuns        = "runs"
)

// Manifest says what a run folder holds: run.json.
type Manifest struct {
	Format   int    `json:"format"`
	Scenario string `json:"scenario"`
	// Versions holds the versions of what plays the runs, by name.
	Versions map[string]string `json:"versions,omitempty"`
	// Options are the command's, as far as they change what is played.
	Options Options `json:"options"`
	// Runs that were asked for, in the order in which they began. An interrupted trial lacks the folders of the last ones.
	Runs []Run `json:"runs"`
}

// Options of a trial.
type Options struct {
	// Guardrails says where they came from: the name of a variant of the scenario, or "" for a folder.
	Guardrails string `json:"guardrails,omitempty"`
	// Approve is when the gate /approve says yes, as a duration since the release; "" means never.
	Approve string `json:"approve,omitempty"`
}

// Run names one run of a trial.
type Run struct {
	// Role in the trial: a word of a-z such as faulty, healthy, unguarded or reference.
	Role    string `json:"role"`
	Seed    uint64 `json:"seed"`
	Version string `json:"version"`
}

// Name of the run's folder.
func (r Run) Name() string { return fmt.Sprintf("%s-seed%d", r.Role, r.Seed) }

func (r Run) eventsPath() string { return path.Join(dirRuns, r.Name(), fileEvents) }

// maxRuns bounds a trial.
const maxRuns = 1000

// validate finds what would make the manifest unusable.
func (m Manifest) validate() error {
	if m.Format < 1 || m.Format > Format {
		return fmt.Errorf("format is %d, this coalmine reads up to %d: use a newer one", m.Format, Format)
	}
	if len(m.Runs) == 0 || len(m.Runs) > maxRuns {
		return fmt.Errorf("there are %d runs: 1 to %d can be kept", len(m.Runs), maxRuns)
	}
	role := regexp.MustCompile(`^[a-z]{1,20}$`)
	seen := map[string]bool{}
	for _, r := range m.Runs {
		if !role.MatchString(r.Role) {
			return fmt.Errorf("role %q is no word of a-z", r.Role)
		}
		if seen[r.Name()] {
			return fmt.Errorf("run %s stands twice", r.Name())
		}
		seen[r.Name()] = true
	}
	return nil
}

// fileTree is files by path, with slashes, relative to the folder they are kept in.
type fileTree map[string][]byte

// names returns the paths in an order that does not depend on the map.
func (t fileTree) names() []string {
	return slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
	})
}
