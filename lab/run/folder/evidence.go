package folder

import (
	"fmt"
	"regexp"
	"time"
)

// Evidence says what a trial was played with and what it recorded. Anyone who can edit a folder can
// edit its evidence too: only playing the trial again proves something.
type Evidence struct {
	// Date is when the trial ended.
	Date   time.Time `json:"date"`
	Binary Binary    `json:"binary"`
	// ScenarioDigest and GuardrailsDigest are those that the logs have.
	ScenarioDigest   string `json:"scenario_sha256"`
	GuardrailsDigest string `json:"guardrails_sha256"`
	// Own is the variant of the scenario that the guardrails are a copy of; "" for others.
	Own string `json:"own_guardrails,omitempty"`
	// Seeds of the trial, in the order of its runs.
	Seeds []uint64 `json:"seeds"`
	// Hints is how many of the scenario's hints had been taken when the trial ended, as far as is
	// known.
	Hints int `json:"hints"`
	// Logs are the digests of the logs by the names of their runs.
	Logs map[string]string `json:"logs_sha256"`
}

// Binary names the program that played a trial.
type Binary struct {
	Version string `json:"version"`
	// Digest is that of the file; "" if it could not be read.
	Digest string `json:"sha256,omitempty"`
}

// Seeds returns the seeds of runs, each once.
func Seeds(runs []Run) []uint64 {
	var seeds []uint64
	seen := map[uint64]bool{}
	for _, r := range runs {
		if !seen[r.Seed] {
			seen[r.Seed] = true
			seeds = append(seeds, r.Seed)
		}
	}
	return seeds
}

// validate returns an error if a digest is not one. The logs may be fewer than the runs.
func (e *Evidence) validate() error {
	all := map[string]string{"scenario_sha256": e.ScenarioDigest, "guardrails_sha256": e.GuardrailsDigest,
		"binary.sha256": e.Binary.Digest}
	for name, d := range e.Logs {
		all["logs_sha256."+name] = d
	}
	for name, d := range all {
		if d == "" {
			continue
		}
		if err := validateDigest("evidence."+name, d); err != nil {
			return err
		}
	}
	return nil
}

func validateDigest(name, d string) error {
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(d) {
		return fmt.Errorf("%s: %.70q is not a SHA-256 digest", name, d)
	}
	return nil
}
