package image

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// BinaryEnv is the environment variable that names another binary for the image than the running one.
const BinaryEnv = "COALMINE_BINARY"

// program is coalmine's path in the build information of its binaries.
const program = "coalmine/cmd/coalmine"

// Binary is a static Linux executable of coalmine.
type Binary struct {
	Path string
	// SHA256 is in hexadecimal digits, Size in bytes.
	SHA256 string
	Size   int64
	// Arch is the processor's in Go's words: "amd64".
	Arch string
}

// ErrUnfit is why a binary can't become an image: it is no static Linux binary of the nodes' architecture, or not coalmine.
var ErrUnfit = errors.New("no image can be made of this binary")

// unfitError is an [ErrUnfit] with what to do about it.
type unfitError struct{ path, why, hint string }

func (e *unfitError) Error() string { return fmt.Sprintf("%s: %v: %s", e.path, ErrUnfit, e.why) }
func (e *unfitError) Unwrap() error { return ErrUnfit }

// Hint says what to do.
func (e *unfitError) Hint() string { return e.hint }

// hintStatic says how to come by a fit binary.
const hintStatic = "`make build` makes a static binary (CGO_ENABLED=0); " + BinaryEnv + " can name one that is already there"

// OwnBinary is the running binary, or the one that [Variable] names. Nodes have the architecture of this machine. The error is
// ErrUnfit where the image has to come from a bundle instead: on systems other than Linux, for example.
func OwnBinary(ctx context.Context) (Binary, error) { return OwnBinaryFor(ctx, runtime.GOARCH) }

// OwnBinaryFor is Own for nodes of another architecture.
func OwnBinaryFor(ctx context.Context, arch string) (Binary, error) {
	path := os.Getenv(BinaryEnv)
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return Binary{}, fmt.Errorf("find the running binary: %w", err)
		}
	}
	return File(ctx, path, arch)
}

// File is the binary of that name, for nodes of an architecture.
func File(ctx context.Context, path, arch string) (Binary, error) {
	f, err := os.Open(path)
	if err != nil {
		return Binary{}, fmt.Errorf("read the binary for the image: %w", err)
	}
	defer f.Close()
	if err := checkExecutable(f, path, arch); err != nil {
		return Binary{}, err
	}
	if err := isCoalmine(f, path); err != nil {
		return Binary{}, err
	}
	digest, size, err := hashOf(ctx, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	if err != nil {
		return Binary{}, fmt.Errorf("read the binary for the image: %w", err)
	}
	return Binary{Path: path, SHA256: digest.Hex, Size: size, Arch: arch}, nil
}

// machines are the processors that kind's nodes run on, by Go's name.
func machines() map[string]elf.Machine {
	return map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV}
}

// checkExecutable checks that a file is a static Linux executable for an architecture: what an image without a base can run.
func checkExecutable(r io.ReaderAt, path, arch string) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return &unfitError{path, "it is no Linux binary", "take a bundle with coalmine's image in it (`coalmine bundle create` on a Linux machine), or name a Linux binary by " + BinaryEnv}
	}
	if want, ok := machines()[arch]; !ok || f.Machine != want {
		return &unfitError{path, fmt.Sprintf("it is for %s and the nodes are %s", machine(f.Machine), arch), "name a binary for linux/" + arch + " by " + BinaryEnv}
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || f.OSABI != elf.ELFOSABI_NONE && f.OSABI != elf.ELFOSABI_LINUX {
		return &unfitError{path, "it is no Linux executable", hintStatic}
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return &unfitError{path, "it is linked dynamically, and the image has no libraries", hintStatic}
		}
	}
	return nil
}

// machine names a processor in Go's words where it has one.
func machine(m elf.Machine) string {
	for arch, have := range machines() {
		if have == m {
			return arch
		}
	}
	return m.String()
}

// isCoalmine keeps test binaries and strangers out of the image: their pods would only crash.
func isCoalmine(r io.ReaderAt, path string) error {
	info, err := buildinfo.Read(r)
	switch {
	case err != nil:
		return &unfitError{path, "it is no Go binary", hintStatic}
	case strings.HasSuffix(info.Path, ".test"):
		return &unfitError{path, "it is a test binary", hintStatic}
	case info.Path != program:
		return &unfitError{path, "it is " + info.Path + " and not " + program, hintStatic}
	}
	return nil
}
