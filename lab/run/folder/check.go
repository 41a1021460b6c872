package folder

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"coalmine/lab/input/digest"
)

// Limits of the check seeds.
const (
	// MaxCheckSeeds is the greatest number of check seeds of a trial.
	MaxCheckSeeds = 200
	// maxSeedBits keeps seeds short enough to be typed.
	maxSeedBits = 32
)

// CheckSeed is the result of one check seed: a trial with parameters that the seed draws. Its logs
// are not kept, since playing it again gives the same bytes.
type CheckSeed struct {
	Seed uint64 `json:"seed"`
	// Exit, Outcome and Reason are those of the card of this seed alone.
	Exit    int    `json:"exit"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Points  int    `json:"points"`
	// GotThrough is the share of the harm without guardrails that got through; nil if there is no
	// harm to compare with.
	GotThrough *float64 `json:"got_through,omitempty"`
	// Drawn are the parameters that the seed drew, by name.
	Drawn map[string]float64 `json:"drawn,omitempty"`
	// Logs are the digests of the logs by role.
	Logs map[string]string `json:"logs_sha256"`
}

// CheckSeeds returns n different seeds. They follow from what is played and a nonce, so that nobody
// who writes guardrails can know them, and anyone who has the run folder can repeat them.
func CheckSeeds(scenarioDigest, guardrailsDigest string, practice []uint64, nonce string, n int) []uint64 {
	inputs := digest.Strings(scenarioDigest, guardrailsDigest, fmt.Sprint(practice), nonce)
	var seeds []uint64
	for i := 0; len(seeds) < n; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", inputs, i))
		seed := binary.BigEndian.Uint64(sum[:]) >> (64 - maxSeedBits)
		if !slices.Contains(seeds, seed) {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// ValidateNonce returns an error if a text is not a nonce.
func ValidateNonce(nonce string) error {
	if !regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`).MatchString(nonce) {
		return fmt.Errorf("%.70q is not a nonce: write 1 to 64 of 0-9, a-z, A-Z and ._-", nonce)
	}
	return nil
}

// validateCheck returns an error if the check seeds are not those of the options.
func (m Manifest) validateCheck() error {
	o := m.Options
	switch {
	case o.CheckSeeds < 0 || o.CheckSeeds > MaxCheckSeeds:
		return fmt.Errorf("options.check_seeds is %d: a trial has 0 to %d", o.CheckSeeds, MaxCheckSeeds)
	case o.CheckSeeds > 0:
		if err := ValidateNonce(o.Nonce); err != nil {
			return fmt.Errorf("options.nonce: %w", err)
		}
	}
	if n := len(m.Check); n > 0 && n != o.CheckSeeds {
		return fmt.Errorf("there are results of %d check seeds, and %d were asked for", n, o.CheckSeeds)
	}
	for i, c := range m.Check {
		if err := c.validate(); err != nil {
			return fmt.Errorf("check[%d]: %w", i, err)
		}
	}
	return nil
}

func (c CheckSeed) validate() error {
	if c.Outcome == "" || c.Reason == "" || c.Exit < 0 {
		return errors.New("outcome, exit code or reason is missing")
	}
	for role, d := range c.Logs {
		if err := validateDigest("logs_sha256."+role, d); err != nil {
			return err
		}
	}
	return nil
}
