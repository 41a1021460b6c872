// Package folder writes and reads run folders. A run folder keeps one trial:
//
//	run.json             the manifest: seeds, versions, options, digests
//	scenario/            the scenario
//	guardrails/          the guardrails' manifests
//	runs/ROLE-seedN/     events.jsonl, one folder for each run
//	card.json, card.txt  the score card
//	report.html          the report
//	postmortem.md        a draft postmortem
//
// A run folder contains everything that its score depends on. Except for the dates and the evidence
// in run.json, it has nothing about the machine or the time of the run, so the same inputs and nonce
// give the same bytes. Folders that are read are untrusted:
// sizes are limited and links cannot lead out of the folder.
package folder

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Format is the version of the folder's layout and of run.json.
const Format = 3

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

// Manifest is the content of run.json.
type Manifest struct {
	Format   int    `json:"format"`
	Scenario string `json:"scenario"`
	// Started is when the trial started, to the second; zero in folders of older versions.
	Started time.Time `json:"started,omitzero"`
	// Versions are the versions of the components that play the runs, by name.
	Versions map[string]string `json:"versions,omitempty"`
	// Options are the command's options that change the runs.
	Options Options `json:"options"`
	// Runs in the order in which they start. After an interruption, the folders of the last ones
	// are missing.
	Runs []Run `json:"runs"`
	// Check are the results of the check seeds, in their order. It is empty if the trial did not
	// pass on its own seeds, or did not end.
	Check []CheckSeed `json:"check,omitempty"`
	// Evidence is nil while the trial is played, and in folders of older versions.
	Evidence *Evidence `json:"evidence,omitempty"`
}

// Options of a trial.
type Options struct {
	// Guardrails is the name of a variant of the scenario, or "" if they came from a folder.
	Guardrails string `json:"guardrails,omitempty"`
	// Approve is when the gate /approve starts to pass, as a duration since the release; "" means
	// never.
	Approve string `json:"approve,omitempty"`
	// Drawn is set if the runs have parameters that their seeds draw, as check seeds do.
	Drawn bool `json:"drawn,omitempty"`
	// CheckSeeds is how many check seeds a pass has to be confirmed by, 0 for none.
	CheckSeeds int `json:"check_seeds,omitempty"`
	// Nonce is what the check seeds follow from, together with the inputs. NonceGiven is set if it
	// was not drawn at random.
	Nonce      string `json:"nonce,omitempty"`
	NonceGiven bool   `json:"nonce_given,omitempty"`
}

// Run names one run of a trial.
type Run struct {
	// Role in the trial: faulty, healthy, unguarded, reference or another word of a-z.
	Role    string `json:"role"`
	Seed    uint64 `json:"seed"`
	Version string `json:"version"`
}

// Name returns the name of the run's folder.
func (r Run) Name() string { return fmt.Sprintf("%s-seed%d", r.Role, r.Seed) }

func (r Run) eventsPath() string { return path.Join(dirRuns, r.Name(), fileEvents) }

// maxRuns limits the runs of a trial.
const maxRuns = 1000

// validate returns an error if the manifest is unusable.
func (m Manifest) validate() error {
	if m.Format < 1 || m.Format > Format {
		return fmt.Errorf("format is %d, this coalmine reads up to %d: use a newer one", m.Format, Format)
	}
	if len(m.Runs) == 0 || len(m.Runs) > maxRuns {
		return fmt.Errorf("there are %d runs: a folder can have 1 to %d", len(m.Runs), maxRuns)
	}
	role := regexp.MustCompile(`^[a-z]{1,20}$`)
	seen := map[string]bool{}
	for _, r := range m.Runs {
		if !role.MatchString(r.Role) {
			return fmt.Errorf("role %q is not a word of a-z", r.Role)
		}
		if seen[r.Name()] {
			return fmt.Errorf("run %s is a duplicate", r.Name())
		}
		seen[r.Name()] = true
	}
	if m.Evidence != nil {
		if err := m.Evidence.validate(); err != nil {
			return err
		}
	}
	return m.validateCheck()
}

// fileTree maps slash-separated relative paths to file contents.
type fileTree map[string][]byte

// names returns the paths in a deterministic order.
func (t fileTree) names() []string {
	return slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
	})
}
