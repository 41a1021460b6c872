// Package evidence writes the go/no-go package of a run folder: the text as Markdown and HTML, and
// the digests of all files that it rests on, signed if there is a key.
package evidence

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/report/decision"
	"coalmine/lab/report/model"
)

// Names of the files that [Write] makes.
const (
	FileMarkdown  = "decision.md"
	FileHTML      = "decision.html"
	FileDigests   = "digests.txt"
	FileSignature = "digests.sig"
	FilePublicKey = "public.pem"
)

// maxFiles is how many files of a run folder are digested.
const maxFiles = 4000

// Write writes the package of a run folder into out, which is made if it is missing. With a key,
// digests.sig is the Ed25519 signature of digests.txt, and public.pem the key that verifies it
// (openssl pkeyutl -verify -rawin). It returns the names of the files written.
func Write(dir, out string, t *model.Trial, key ed25519.PrivateKey) ([]string, error) {
	digests, err := digestsOf(dir, out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, input.New("name a folder that can be written with -o", "write the package: %w", err)
	}
	files := []struct {
		name string
		data []byte
	}{{FileMarkdown, nil}, {FileHTML, nil}, {FileDigests, nil}}
	for i, write := range []func(io.Writer, *model.Trial, []decision.Digest) error{decision.Write, decision.HTML} {
		var b bytes.Buffer
		if err := write(&b, t, digests); err != nil {
			return nil, err
		}
		files[i].data = b.Bytes()
		sum := sha256.Sum256(b.Bytes())
		name, err := filepath.Rel(dir, filepath.Join(out, files[i].name))
		if err != nil {
			name = files[i].name
		}
		digests = append(digests, decision.Digest{File: filepath.ToSlash(name), Sum: hex.EncodeToString(sum[:])})
	}
	files[2].data = list(digests)
	if key != nil {
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, fmt.Errorf("encode the public key: %w", err)
		}
		files = append(files, struct {
			name string
			data []byte
		}{FileSignature, ed25519.Sign(key, files[2].data)}, struct {
			name string
			data []byte
		}{FilePublicKey, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})})
	}
	var names []string
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(out, f.name), f.data, 0o644); err != nil {
			return nil, input.New("name a folder that can be written with -o", "write the package: %w", err)
		}
		names = append(names, f.name)
	}
	return names, nil
}

// list is what sha256sum -c reads.
func list(digests []decision.Digest) []byte {
	var b strings.Builder
	for _, d := range digests {
		fmt.Fprintf(&b, "%s  %s\n", d.Sum, d.File)
	}
	return []byte(b.String())
}

// digestsOf digests the regular files of a run folder, in the order of their names, without those of
// an earlier package.
func digestsOf(dir, out string) ([]decision.Digest, error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, input.New("name a folder that coalmine run made", "%w", err)
	}
	defer root.Close()
	own, _ := filepath.Rel(dir, out) // a package elsewhere has no name here
	var all []decision.Digest
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name == filepath.ToSlash(own) && name != ".":
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		case len(all) == maxFiles:
			return input.New("keep other files elsewhere", "%s has more than %d files", dir, maxFiles)
		}
		sum, err := digest(root, name)
		all = append(all, decision.Digest{File: name, Sum: sum})
		return err
	})
	return all, err
}

func digest(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// maxKey limits the size of a key, in bytes.
const maxKey = 64 << 10

// ReadKey reads an Ed25519 private key in PKCS#8 and PEM, as openssl genpkey -algorithm ed25519 writes
// it.
func ReadKey(ctx context.Context, name string) (ed25519.PrivateKey, error) {
	const hint = "make one with openssl genpkey -algorithm ed25519 -out key.pem"
	data, err := input.ReadFile(ctx, name, maxKey)
	if err != nil {
		return nil, input.New(hint, "read the key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, input.New(hint, "%s is not a key in PEM", name)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err == nil && !ok {
		err = errors.New("it is not an Ed25519 key")
	}
	if err != nil {
		return nil, input.New(hint, "%s: %w", name, err)
	}
	return key, nil
}
