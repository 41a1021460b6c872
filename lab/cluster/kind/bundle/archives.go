package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// NewArchive returns an archive with the given images, read by open.
func NewArchive(refs []string, open func(context.Context) (io.ReadCloser, error)) Archive {
	return Archive{Refs: refs, open: open}
}

// WrittenArchive returns an archive with one image, which is written on each read.
func WrittenArchive(ref string, write func(io.Writer) error) Archive {
	return NewArchive([]string{ref}, func(context.Context) (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { w.CloseWithError(write(w)) }()
		return r, nil
	})
}

// ArchiveFile returns the archive in a file of `docker save`.
func ArchiveFile(path string) (Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return Archive{}, fmt.Errorf("open the image archive: %w", err)
	}
	defer f.Close()
	refs, err := archiveRefs(f)
	if err != nil {
		return Archive{}, fmt.Errorf("%s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return Archive{}, err
	}
	return Archive{Refs: refs, Size: info.Size(), open: func(context.Context) (io.ReadCloser, error) {
		return os.Open(path)
	}}, nil
}

// Registries pulls images from their registries.
type Registries struct {
	// Arch is the processor architecture of the images, in Go's terms.
	Arch string
	// Transport is used for requests; nil is the default.
	Transport http.RoundTripper
}

// Archive returns an image from its registry, with the user's credentials of `docker login`. The
// layers stay compressed and are read when the archive is.
func (r Registries) Archive(ctx context.Context, ref string) (Archive, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return Archive{}, fmt.Errorf("%q is not a valid image name: %w", ref, err)
	}
	full, err := fullRef(ref)
	if err != nil {
		return Archive{}, err
	}
	tag, err := name.NewTag(full)
	if err != nil {
		return Archive{}, inputError("give the tag too: NAME:TAG@sha256:…",
			"image %s has no tag: archives identify images by tag", ref)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: r.Arch})}
	if r.Transport != nil {
		options = append(options, remote.WithTransport(r.Transport))
	}
	img, err := remote.Image(parsed, options...)
	if err != nil {
		return Archive{}, fmt.Errorf("pull %s: %w", ref, err)
	}
	return WrittenArchive(full, func(w io.Writer) error { return tarball.Write(tag, img, w) }), nil
}

// Docker is the local daemon, used through the docker command as kind does.
type Docker struct{}

// Has reports whether Docker has an image of that name.
func (d Docker) Has(ctx context.Context, ref string) (bool, error) {
	out, err := d.run(ctx, nil, "image", "ls", "--quiet", familiarName(ref))
	return len(bytes.TrimSpace(out)) > 0, err
}

// Save returns an archive of an image of the daemon.
func (d Docker) Save(ref string) Archive {
	return Archive{Refs: []string{mustFullRef(ref)}, open: func(ctx context.Context) (io.ReadCloser, error) {
		return startCommand(exec.CommandContext(ctx, "docker", "save", familiarName(ref)))
	}}
}

// Load loads an archive into the daemon.
func (d Docker) Load(ctx context.Context, a Archive) (err error) {
	in, err := a.Open(ctx)
	if err != nil {
		return err
	}
	_, err = d.run(ctx, in, "load", "--quiet")
	// A damaged archive is the cause of Docker's error.
	if broken := in.Close(); broken != nil {
		return broken
	}
	return err
}

func (d Docker) run(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, commandError(ctx, cmd, err, &complaint)
	}
	return out.Bytes(), nil
}

// commandError returns why a command failed, in its own words if it printed any.
func commandError(ctx context.Context, cmd *exec.Cmd, err error, stderr *bytes.Buffer) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if text := strings.TrimSpace(stderr.String()); text != "" {
		err = errors.New(text)
	}
	return &DockerError{strings.Join(cmd.Args[:2], " "), err}
}

// familiarName returns an image's name as Docker lists it: without the host for images of Docker
// Hub.
func familiarName(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(mustFullRef(ref), "docker.io/"), "library/")
}

// commandOutput is the output of a command.
type commandOutput struct {
	cmd    *exec.Cmd
	pipe   io.ReadCloser
	stderr bytes.Buffer
	// err is returned at the end of the output.
	err error
}

func startCommand(cmd *exec.Cmd) (io.ReadCloser, error) {
	o := &commandOutput{cmd: cmd}
	cmd.Stderr = &o.stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, commandError(context.Background(), cmd, err, &o.stderr)
	}
	o.pipe = pipe
	return o, nil
}

// Read returns the command's failure rather than an early end of file.
func (o *commandOutput) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.pipe.Read(p)
	if err == io.EOF {
		if failure := o.cmd.Wait(); failure != nil {
			err = commandError(context.Background(), o.cmd, failure, &o.stderr)
		}
	}
	o.err = err
	return n, err
}

// Close stops the command if it still runs.
func (o *commandOutput) Close() error {
	if o.err != nil {
		return nil
	}
	o.err = os.ErrClosed
	o.pipe.Close()
	_ = o.cmd.Process.Kill() // it may have ended, and its remaining output does not matter
	_ = o.cmd.Wait()
	return nil
}
