package image

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// executable makes the headers of an ELF file with the given kinds of segments.
func executable(t *testing.T, machine elf.Machine, kind elf.Type, segments ...elf.ProgType) []byte {
	t.Helper()
	h := elf.Header64{Type: uint16(kind), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64,
		Phoff: 64, Phentsize: 56, Phnum: uint16(len(segments)), Shentsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB),
		byte(elf.EV_CURRENT)
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	put(h)
	for _, s := range segments {
		put(elf.Prog64{Type: uint32(s)})
	}
	return b.Bytes()
}

func TestCheckExecutable(t *testing.T) {
	for _, test := range []struct {
		name string
		data []byte
		arch string
		want string
	}{
		{"static", executable(t, elf.EM_X86_64, elf.ET_EXEC, elf.PT_LOAD), "amd64", ""},
		{"static, arm", executable(t, elf.EM_AARCH64, elf.ET_EXEC, elf.PT_LOAD), "arm64", ""},
		{"interpreter", executable(t, elf.EM_X86_64, elf.ET_EXEC, elf.PT_LOAD, elf.PT_INTERP), "amd64",
			"dynamically linked"},
		{"libraries", executable(t, elf.EM_X86_64, elf.ET_DYN, elf.PT_LOAD, elf.PT_DYNAMIC), "amd64",
			"dynamically linked"},
		{"object", executable(t, elf.EM_X86_64, elf.ET_REL), "amd64", "not a Linux executable"},
		{"other processor", executable(t, elf.EM_AARCH64, elf.ET_EXEC, elf.PT_LOAD), "amd64",
			"for arm64 and the nodes are amd64"},
		{"unknown processor", executable(t, elf.EM_X86_64, elf.ET_EXEC, elf.PT_LOAD), "mips", "the nodes are mips"},
		{"macOS", []byte("\xcf\xfa\xed\xfe rest of a Mach-O file"), "amd64", "not a Linux binary"},
		{"Windows", []byte("MZ rest of a PE file"), "amd64", "not a Linux binary"},
		{"empty", nil, "amd64", "not a Linux binary"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := checkExecutable(bytes.NewReader(test.data), "coalmine", test.arch)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v", err)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "COALMINE_BINARY") {
				t.Errorf("the hint of %v does not help", err)
			}
		})
	}
}

func TestOtherProgramsAreRefused(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := programOf(f, path, []string{Coalmine}); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(),
		"test binary") {
		t.Errorf("of a test binary: %v", err)
	}
	if _, err := programOf(bytes.NewReader(executable(t, elf.EM_X86_64, elf.ET_EXEC)), "x", nil); !errors.Is(err,
		ErrUnfit) || !strings.Contains(err.Error(),
		"Go did not build it") {
		t.Errorf("of a binary that Go did not make: %v", err)
	}
}

func TestAgentIsTheNamedBinary(t *testing.T) {
	t.Setenv(BinaryEnv, filepath.Join(t.TempDir(), "nowhere"))
	if _, err := Agent(context.Background(), runtime.GOARCH); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
	// The running binary is a test's.
	if _, err := Running(context.Background(), runtime.GOARCH, Coalmine); !errors.Is(err, ErrUnfit) {
		t.Errorf("on %s: %v", runtime.GOOS, err)
	}
}
