package grade

import (
	"time"

	"coalmine/lab/run/folder"
	"coalmine/lab/teaching/grade/submission"
)

// job is what a worker is asked to do: to grade one submission in one scenario. It is one line of
// JSON on the worker's standard input.
type job struct {
	Submission submission.Submission `json:"submission"`
	// Scenario is a name or a path, as the instructor gave it; Base is where paths start.
	Scenario string `json:"scenario"`
	Base     string `json:"base"`
	// Alone is set if no other scenario is graded, so that the whole submission is for this one.
	Alone bool `json:"alone"`
	// Packed is a file with the guardrails, which then are not read from the submission. Pack asks
	// for them in the first answer.
	Packed string `json:"packed,omitempty"`
	Pack   bool   `json:"pack,omitempty"`

	Plan
	// CPUSeconds is how long the worker may compute.
	CPUSeconds int `json:"cpu_seconds"`
	// Shared is the folder with the unguarded and reference runs, Out the one for the run folders.
	Shared string `json:"shared"`
	Out    string `json:"out"`
}

// Plan is what is played for each submission of a scenario.
type Plan struct {
	// Seeds are secret and count; the practice seeds 1 to Practice are public and do not.
	Seeds    []uint64 `json:"seeds"`
	Practice int      `json:"practice"`
	// Date is the one by which submissions are judged.
	Date     time.Time         `json:"date"`
	Versions map[string]string `json:"versions"`
	Binary   folder.Binary     `json:"binary"`
}

// practiceSeeds lists the public seeds.
func (p Plan) practiceSeeds() []uint64 {
	var seeds []uint64
	for i := range p.Practice {
		seeds = append(seeds, uint64(i+1))
	}
	return seeds
}

// A worker answers with two lines of JSON: what it has read, and, after the line "play" on its
// standard input, the part. It stops without the second one if its standard input ends, because the
// part is known already.
type answer struct {
	// Digest is that of the guardrails, "" if there are none.
	Digest string `json:"digest,omitempty"`
	// Files are the guardrails, if the job asked for them.
	Files map[string][]byte `json:"files,omitempty"`
	// Part is complete in the second answer, and in the first one if nothing is to be played.
	Part *Part `json:"part,omitempty"`
	// Failure is a failure of the lab.
	Failure string `json:"failure,omitempty"`
}

// goAhead is the line that makes a worker play.
const goAhead = "play"
