package image

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// BinaryEnv is the environment variable that names the binary for the image of the lab's pods.
const BinaryEnv = "COALMINE_BINARY"

// Programs of this module, by the last element of their path in the build information.
const (
	programs = "coalmine/cmd/"
	agent    = "coalmine-agent"
	// Coalmine is [Binary.Program] of the whole program, which pods run in builds without an agent.
	Coalmine = "coalmine"
)

// Binary is a static Linux executable of this module.
type Binary struct {
	// Path says where it came from.
	Path string
	// Program is its name in cmd, which names the image and the file in it.
	Program string
	// SHA256 is in hexadecimal digits, Size in bytes.
	SHA256 string
	Size   int64
	// Arch is the processor in Go's words: "amd64".
	Arch string

	open func() (io.ReadCloser, error)
}

// ErrUnfit is the error for a file that cannot become an image: it is not a static Linux
// executable for the nodes' architecture, or not one of this module's programs.
var ErrUnfit = errors.New("no image can be built from this binary")

// unfitError is an [ErrUnfit] with a hint.
type unfitError struct{ path, why, hint string }

func (e *unfitError) Error() string { return fmt.Sprintf("%s: %v: %s", e.path, ErrUnfit, e.why) }
func (e *unfitError) Unwrap() error { return ErrUnfit }

// Hint returns what to do.
func (e *unfitError) Hint() string { return e.hint }

// hintStatic is for binaries that were built in another way than the Makefile's.
const hintStatic = "`make build` makes a static binary (CGO_ENABLED=0); " + BinaryEnv + " can name an existing one"

// Agent returns the program that the lab's pods run, for nodes of an architecture: the file that
// [BinaryEnv] names, or the coalmine-agent in this binary. In a build without one it is this
// binary, which has the same commands and much more; Program tells the two apart.
//
// The error is [ErrUnfit] where the image has to come from a bundle instead.
func Agent(ctx context.Context, arch string) (Binary, error) {
	if file := os.Getenv(BinaryEnv); file != "" {
		return fromFile(ctx, file, arch, agent, Coalmine)
	}
	if b, ok, err := embeddedAgent(ctx, arch); ok || err != nil {
		return b, err
	}
	return Running(ctx, arch, Coalmine)
}

// Running returns the running binary, which must be the given program of this module.
func Running(ctx context.Context, arch, program string) (Binary, error) {
	file, err := os.Executable()
	if err != nil {
		return Binary{}, fmt.Errorf("find the running binary: %w", err)
	}
	return fromFile(ctx, file, arch, program)
}

// fromFile returns the binary in a file, which must be one of the wanted programs.
func fromFile(ctx context.Context, file, arch string, wanted ...string) (Binary, error) {
	f, err := os.Open(file)
	if err != nil {
		return Binary{}, fmt.Errorf("read the binary for the image: %w", err)
	}
	defer f.Close()
	if err := checkExecutable(f, file, arch); err != nil {
		return Binary{}, err
	}
	program, err := programOf(f, file, wanted)
	if err != nil {
		return Binary{}, err
	}
	b := Binary{Path: file, Program: program, Arch: arch, open: func() (io.ReadCloser, error) { return os.Open(file) }}
	return b, b.measure(ctx)
}

// measure reads the binary for its digest and size.
func (b *Binary) measure(ctx context.Context) error {
	digest, size, err := hashOf(ctx, b.copyTo)
	if err != nil {
		return fmt.Errorf("read the binary for the image: %w", err)
	}
	b.SHA256, b.Size = digest.Hex, size
	return nil
}

func (b *Binary) copyTo(w io.Writer) error {
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// machines maps Go's names of the processors that kind's nodes run on to ELF's.
func machines() map[string]elf.Machine {
	return map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390,
		"riscv64": elf.EM_RISCV,
	}
}

// checkExecutable returns an error unless the file is a static Linux executable for an
// architecture, which an image without a base can run.
func checkExecutable(r io.ReaderAt, path, arch string) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return &unfitError{path, "it is not a Linux binary", "use a bundle that has coalmine's image (`coalmine " +
			"bundle create` on a Linux machine), or name a Linux binary by " + BinaryEnv}
	}
	if want, ok := machines()[arch]; !ok || f.Machine != want {
		return &unfitError{path, fmt.Sprintf("it is for %s and the nodes are %s", machine(f.Machine), arch),
			"name a binary for linux/" + arch + " by " + BinaryEnv}
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || f.OSABI != elf.ELFOSABI_NONE && f.OSABI != elf.ELFOSABI_LINUX {
		return &unfitError{path, "it is not a Linux executable", hintStatic}
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return &unfitError{path, "it is dynamically linked, and the image has no libraries", hintStatic}
		}
	}
	return nil
}

// machine returns Go's name for a processor if it has one.
func machine(m elf.Machine) string {
	for arch, have := range machines() {
		if have == m {
			return arch
		}
	}
	return m.String()
}

// programOf returns which of the wanted programs a binary is. Pods of any other binary, such as a
// test's, would only crash.
func programOf(r io.ReaderAt, file string, wanted []string) (string, error) {
	info, err := buildinfo.Read(r)
	switch {
	case err != nil:
		return "", &unfitError{file, "Go did not build it", hintStatic}
	case strings.HasSuffix(info.Path, ".test"):
		return "", &unfitError{file, "it is a test binary", hintStatic}
	}
	program := path.Base(info.Path)
	if info.Path != programs+program || !slices.Contains(wanted, program) {
		return "", &unfitError{file, "it is " + info.Path + ", not " + programs + strings.Join(wanted, " or "+programs),
			hintStatic}
	}
	return program, nil
}
