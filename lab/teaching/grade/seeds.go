package grade

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"coalmine/lab/input"
)

// Limits of the instructor's seed file.
const (
	minKey = 16
	maxKey = 64 << 10
)

// Key is the content of the instructor's seed file. Every seed of a grading follows from it, and so
// do the parameters that are drawn.
type Key []byte

// NewKey returns the key in a seed file. White space around it does not count.
func NewKey(file []byte) (Key, error) {
	key := bytes.TrimSpace(file)
	if len(key) < minKey || len(key) > maxKey {
		return nil, input.New("make one with: head -c 32 /dev/urandom | base64 > seeds",
			"the seed file has %d bytes; it needs %d to %d that nobody can guess", len(key), minKey, maxKey)
	}
	return key, nil
}

// Seeds returns n different seeds for a scenario. They do not depend on the submission, so that all
// learners meet the same incidents.
func (k Key) Seeds(scenario string, n int) []uint64 {
	const bits = 32 // short enough to be typed
	var seeds []uint64
	for i := 0; len(seeds) < n; i++ {
		sum := k.sum(fmt.Sprintf("coalmine/grade/seed\x00%s\x00%d", scenario, i))
		seed := binary.BigEndian.Uint64(sum) >> (64 - bits)
		if !slices.Contains(seeds, seed) {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// Fingerprint tells keys apart and says nothing about their seeds.
func (k Key) Fingerprint() string { return hex.EncodeToString(k.sum("coalmine/grade/fingerprint")[:8]) }

func (k Key) sum(text string) []byte {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(text))
	return h.Sum(nil)
}
