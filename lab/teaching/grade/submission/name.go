package submission

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode"

	"coalmine/lab/format"
)

var (
	// moodleName is how Moodle names what it downloads: NAME_NUMBER_assignsubmission_file, and the
	// file's name unless each learner has a folder.
	moodleName = regexp.MustCompile(`^(.+)_(\d+)_assignsubmission_file(_.*)?$`)
	// canvasName is how Canvas names it: NAME_USER_ATTACHMENT_FILE, with LATE between.
	canvasName = regexp.MustCompile(`^([^_]+)_(?:LATE_)?(\d+)_(\d+)_(.+)$`)
)

// identify sets who handed in a submission, from the name of its file.
func (s *Submission) identify(stem, name string) {
	if m := moodleName.FindStringSubmatch(stem); m != nil {
		s.FullName = format.Clean(m[1])
		s.Learner = Safe(m[1] + "_" + m[2])
		return
	}
	if m := canvasName.FindStringSubmatch(name); m != nil {
		s.CanvasID = m[2]
		s.Learner = Safe(m[1] + "_" + m[2])
		return
	}
	s.Learner = Safe(stem)
}

// maxName is the length in bytes of a learner's name. File systems take 255.
const maxName = 100

// Safe returns a name that is safe as a file name, in a table and on a terminal. A name that had to
// be changed ends in a digest of what it was, so that different names stay different.
func Safe(name string) string {
	safe := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("._-@+ ", r) {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
	safe = strings.TrimRight(strings.TrimLeft(safe, ".-+@ "), ". ")
	if safe == name && len(safe) <= maxName && !reserved(safe) {
		return safe
	}
	if len(safe) > maxName {
		safe = strings.ToValidUTF8(safe[:maxName], "")
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimLeft(safe+"~"+hex.EncodeToString(sum[:4]), "~")
}

// reserved reports whether Windows gives the name a meaning of its own.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch strings.TrimRight(base, "0123456789") {
	case "con", "prn", "aux", "nul", "com", "lpt", "":
		return true
	}
	return false
}
