// Package submission finds what learners handed in and reads the manifests of it: folders, zip and
// tar archives, single files, and refs of a git repository.
//
// What is read is hostile until proven otherwise. Archives are never unpacked to disk; every size is
// bounded, and a name, link or entry that has no place in a submission ends the reading with a
// reason.
package submission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"coalmine/lab/guardrail"
	"coalmine/lab/input"
)

// Kind is the form of a submission.
type Kind string

// Kinds of submissions.
const (
	KindFolder  Kind = "folder"
	KindArchive Kind = "archive"
	KindFiles   Kind = "files" // single manifests
	KindGit     Kind = "git"
)

// Submission is what one learner handed in.
type Submission struct {
	// Learner names the learner. It is unique in a list, and a safe name for a file.
	Learner string `json:"learner"`
	// Name is that of the folder, file or ref.
	Name string `json:"name"`
	// FullName and CanvasID are known from the file names of Moodle's and Canvas' downloads.
	FullName string `json:"full_name,omitempty"`
	CanvasID string `json:"canvas_id,omitempty"`

	Kind Kind `json:"kind"`
	// Paths are the folder, the archive, the repository, or the manifests.
	Paths []string `json:"paths"`
	// Commit is that of a ref, Git the path of the program that reads it.
	Commit string `json:"commit,omitempty"`
	Git    string `json:"git,omitempty"`
	// Problem is why the submission is not read, such as a second one of the same learner.
	Problem string `json:"problem,omitempty"`
}

// Refused is the error of a submission that cannot be read. Its text says why.
type Refused struct{ Reason string }

func (r *Refused) Error() string { return r.Reason }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// MaxSubmissions bounds how many submissions are graded at once.
const MaxSubmissions = 20_000

// List finds the submissions that the arguments name, ordered by learner. An argument is a folder
// with a submission in each entry, an archive, or REPOSITORY#REFS with a pattern of refs. If one is
// set, each argument is itself a submission. Relative paths start from base.
func List(ctx context.Context, base string, args []string, one bool) ([]Submission, error) {
	var all []Submission
	for _, arg := range args {
		found, err := list(ctx, base, arg, one)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(all) > MaxSubmissions {
			return nil, input.New("grade them in several parts", "there are more than %d submissions", MaxSubmissions)
		}
	}
	all = distinct(all)
	if len(all) == 0 {
		return nil, input.New("name a folder with a folder or archive for each learner; --one is for a single one",
			"there are no submissions in %s", strings.Join(args, ", "))
	}
	return all, nil
}

func list(ctx context.Context, base, arg string, one bool) ([]Submission, error) {
	path := arg
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		if repository, refs, ok := strings.Cut(path, "#"); ok {
			return listGit(ctx, repository, refs)
		}
		return nil, input.New("name a folder, an archive, or REPOSITORY#REFS", "%w", err)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || one {
		s, _ := of(filepath.Dir(path), filepath.Base(path), info.IsDir())
		return []Submission{s}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, input.New("", "%w", err)
	}
	var all []Submission
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == junkFolder {
			continue
		}
		s, ok := of(path, e.Name(), e.IsDir())
		if !ok && e.Type()&os.ModeSymlink != 0 {
			s, ok = of(path, e.Name(), true) // to be refused with a reason
		}
		if ok {
			all = append(all, s)
		}
	}
	return group(all), nil
}

// of returns the submission in an entry of a folder; ok is false for files of other kinds, such as
// a list of names.
func of(dir, name string, folder bool) (s Submission, ok bool) {
	s = Submission{Name: name, Paths: []string{filepath.Join(dir, name)}}
	if !utf8.ValidString(name) {
		s.Problem = fmt.Sprintf("the name %q is not UTF-8: rename it", name)
	}
	stem := name
	switch {
	case folder:
		s.Kind = KindFolder
	case guardrail.IsManifest(name):
		s.Kind, stem = KindFiles, strings.TrimSuffix(name, filepath.Ext(name))
	default:
		s.Kind, stem = KindArchive, withoutArchiveSuffix(name)
		ok := stem != name
		s.identify(stem, name)
		return s, ok
	}
	s.identify(stem, name)
	return s, true
}

// group joins the manifests that the downloads of learning platforms keep in one folder, one file
// for each that a learner handed in.
func group(all []Submission) []Submission {
	var grouped []Submission
	first := map[string]int{}
	for _, s := range all {
		i, known := first[s.Learner]
		fromPlatform := s.CanvasID != "" || s.FullName != ""
		if known && fromPlatform && s.Kind == KindFiles && grouped[i].Kind == KindFiles {
			grouped[i].Paths = append(grouped[i].Paths, s.Paths...)
			continue
		}
		if s.Kind == KindFiles && fromPlatform {
			first[s.Learner] = len(grouped)
		}
		grouped = append(grouped, s)
	}
	return grouped
}

// distinct orders submissions by learner. Two of one learner are both marked: nobody but the
// instructor can say which one counts.
func distinct(all []Submission) []Submission {
	slices.SortStableFunc(all, func(a, b Submission) int {
		if d := strings.Compare(strings.ToLower(a.Learner), strings.ToLower(b.Learner)); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	var list []Submission
	for _, s := range all {
		n := len(list)
		if n == 0 || !strings.EqualFold(list[n-1].Learner, s.Learner) {
			list = append(list, s)
			continue
		}
		last := &list[n-1]
		last.Name += ", " + s.Name
		last.Problem = "there are several submissions of this learner: " + last.Name + "; leave one"
	}
	return list
}

// Read returns the manifests of a submission by path. An error of type [*Refused] is the
// submission's fault.
func Read(ctx context.Context, s Submission) (map[string][]byte, error) {
	switch {
	case s.Problem != "":
		return nil, refuse("%s", s.Problem)
	case s.Kind == KindGit:
		return readGit(ctx, s)
	case s.Kind == KindArchive:
		return readArchive(ctx, s.Paths[0])
	}
	files := map[string][]byte{}
	for _, path := range s.Paths {
		read, err := readDisk(ctx, path)
		if err != nil {
			return nil, err
		}
		for name, data := range read {
			files[name] = data
		}
	}
	return files, nil
}

// readDisk reads a folder or a file. A folder without manifests may hold one archive.
func readDisk(ctx context.Context, path string) (map[string][]byte, error) {
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink != 0 {
		return nil, refuse("%s is a symbolic link or not there", filepath.Base(path))
	}
	files, err := guardrail.ReadFiles(ctx, path)
	var findings guardrail.Errors
	if errors.As(err, &findings) {
		return nil, refuse("%s", findings[0])
	}
	if err != nil || len(files) > 0 {
		return files, err
	}
	if archive := onlyArchive(path); archive != "" {
		return readArchive(ctx, archive)
	}
	return files, nil
}

// onlyArchive returns the one archive in a folder, or "".
func onlyArchive(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	found := ""
	for _, e := range entries {
		if e.Type().IsRegular() && withoutArchiveSuffix(e.Name()) != e.Name() {
			if found != "" {
				return ""
			}
			found = filepath.Join(dir, e.Name())
		}
	}
	return found
}
