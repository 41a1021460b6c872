package submission

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"coalmine/lab/guardrail"
	"coalmine/lab/input"
)

// gitCommand returns a command of git that reads objects only: no hooks, filters or network.
func gitCommand(ctx context.Context, git, repository string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, git, append([]string{"-c", "safe.directory=*", "-c", "core.fsmonitor=false",
		"-C", repository}, args...)...)
	cmd.Env = []string{"GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_CONFIG_NOSYSTEM=1",
		"LC_ALL=C"}
	return cmd
}

// listGit lists the refs of a repository that match a pattern.
func listGit(ctx context.Context, repository, pattern string) ([]Submission, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, input.New("install git, or hand over folders or archives", "refs are read by git: %w", err)
	}
	if repository, err = filepath.Abs(repository); err != nil {
		return nil, err
	}
	patterns := []string{pattern}
	if !strings.HasPrefix(pattern, "refs/") {
		patterns = []string{"refs/heads/" + pattern, "refs/remotes/" + pattern, "refs/tags/" + pattern}
	}
	args := append([]string{"for-each-ref", "--format=%(refname) %(objectname) %(*objectname)"}, patterns...)
	out, err := gitCommand(ctx, git, repository, args...).Output()
	if err != nil {
		return nil, input.New("name a git repository and a pattern of refs, such as class.git#submissions/*",
			"%s: %s", repository, gitError(err))
	}
	var all []Submission
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		s := Submission{Name: f[0], Kind: KindGit, Paths: []string{repository}, Commit: f[len(f)-1], Git: git}
		s.Learner = Safe(shortRef(f[0], pattern))
		all = append(all, s)
	}
	return all, nil
}

// shortRef is the part of a ref that the pattern leaves open, or its last element.
func shortRef(ref, pattern string) string {
	for _, prefix := range []string{"refs/heads/", "refs/remotes/", "refs/tags/"} {
		ref, pattern = strings.TrimPrefix(ref, prefix), strings.TrimPrefix(pattern, prefix)
	}
	fixed, _, open := strings.Cut(pattern, "*")
	if open {
		return strings.TrimPrefix(ref, fixed[:strings.LastIndex(fixed, "/")+1])
	}
	return ref[strings.LastIndex(ref, "/")+1:]
}

func gitError(err error) string {
	if exit, ok := err.(*exec.ExitError); ok && len(exit.Stderr) > 0 {
		first, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return first
	}
	return err.Error()
}

// blob is a file of a commit.
type blob struct{ name, id string }

// readGit reads the manifests of a commit as they are stored: no attribute of the repository
// changes them.
func readGit(ctx context.Context, s Submission) (map[string][]byte, error) {
	blobs, err := listBlobs(ctx, s)
	if err != nil || len(blobs) == 0 {
		return nil, err
	}
	var ids strings.Builder
	for _, b := range blobs {
		fmt.Fprintln(&ids, b.id)
	}
	cmd := gitCommand(ctx, s.Git, s.Paths[0], "cat-file", "--batch")
	cmd.Stdin = strings.NewReader(ids.String())
	out, err := cmd.Output()
	if err != nil {
		return nil, refuse("git cannot read the commit: %s", gitError(err))
	}
	files := map[string][]byte{}
	r := bufio.NewReader(bytes.NewReader(out))
	for _, b := range blobs {
		if files[b.name], err = readBlob(r); err != nil {
			return nil, refuse("git cannot read %s: %v", b.name, err)
		}
	}
	return files, nil
}

// readBlob reads one answer of git cat-file --batch: ID blob SIZE, a line feed, content, and a line
// feed.
func readBlob(r *bufio.Reader) ([]byte, error) {
	header, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	f := strings.Fields(header)
	if len(f) != 3 || f[1] != "blob" {
		return nil, fmt.Errorf("the object is not a file: %s", strings.TrimSpace(header))
	}
	n, err := strconv.Atoi(f[2])
	if err != nil || n < 0 || n > guardrail.MaxFileSize {
		return nil, fmt.Errorf("its size is %s", f[2])
	}
	data := make([]byte, n+1)
	_, err = io.ReadFull(r, data)
	return data[:n], err
}

// listBlobs lists the manifests of a commit, within the limits of an archive.
func listBlobs(ctx context.Context, s Submission) ([]blob, error) {
	out, err := gitCommand(ctx, s.Git, s.Paths[0], "ls-tree", "-r", "-l", "-z", "--full-tree", s.Commit).Output()
	if err != nil {
		return nil, refuse("git cannot list the commit: %s", gitError(err))
	}
	u := &unpacker{ctx: ctx, files: map[string][]byte{}, seen: map[string]bool{}}
	var blobs []blob
	for entry := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		about, name, ok := strings.Cut(entry, "\t")
		f := strings.Fields(about)
		if !ok || len(f) != 4 {
			continue
		}
		const link, file, program = "120000", "100644", "100755"
		if f[0] == link && guardrail.IsManifest(name) {
			return nil, refuse("%q is a symbolic link: commit the file itself", clip(name))
		}
		if f[0] != file && f[0] != program || !guardrail.IsManifest(name) {
			continue
		}
		clean, wanted, err := u.entry(name, 0)
		if err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(f[3])
		if u.total += size; err != nil || size > guardrail.MaxFileSize || u.total > guardrail.MaxTotalSize {
			return nil, refuse("%s is larger than %d bytes, or all manifests are larger than %d", clip(clean),
				guardrail.MaxFileSize, guardrail.MaxTotalSize)
		}
		if wanted {
			blobs = append(blobs, blob{clean, f[2]})
		}
	}
	if len(blobs) > guardrail.MaxFiles {
		return nil, refuse("there are more than %d manifests", guardrail.MaxFiles)
	}
	return blobs, nil
}
