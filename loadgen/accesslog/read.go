package accesslog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of what is read, where a [Reader] sets none.
const (
	// MaxLines is how many lines a log may have.
	MaxLines = 2_000_000
	// MaxBytes is how long its text may be, unpacked.
	MaxBytes = 1 << 30
	// maxLine is how long a line may be; a longer one is broken.
	maxLine = 64 << 10
	// sniffLen is how many bytes tell whether a log is text.
	sniffLen = 4 << 10
)

// Reader reads logs. Its zero value finds out the format and has the limits of the package.
type Reader struct {
	// Format is one of [Formats]; "" is found out: that of the first line that is of any.
	Format string
	// MaxLines and MaxBytes bound the log; 0 stands for the package's limits.
	MaxLines int
	MaxBytes int64
}

// Read reads a log of one of the [Formats]; "" is found out. The limits are those of the package.
func Read(in io.Reader, format string) (Log, error) { return Reader{Format: format}.Read(in) }

// Read reads a log, packed by gzip or not. Lines that cannot be read are counted, not fatal; blank ones do not count. It is
// an error if no line can be read, if there are too many, and if the input is no text. The log that is returned with an error
// has the broken lines that were met.
func (r Reader) Read(in io.Reader) (Log, error) {
	if r.Format != "" && !slices.Contains(Formats(), r.Format) {
		return Log{}, fmt.Errorf("there is no format %q: write %s, or leave it out", r.Format, strings.Join(Formats(), ", "))
	}
	if r.MaxLines == 0 {
		r.MaxLines = MaxLines
	}
	if r.MaxBytes == 0 {
		r.MaxBytes = MaxBytes
	}
	text, binary, err := decompress(bufio.NewReader(in))
	if err != nil {
		return Log{}, err
	}
	log := Log{Format: r.Format}
	err = r.lines(bufio.NewReaderSize(io.LimitReader(text, r.MaxBytes+1), maxLine), &log)
	switch {
	case err != nil:
		return Log{Format: log.Format, Broken: log.Broken}, err
	case len(log.Lines)+log.Broken.Count == 0:
		return log, errors.New("the log is empty")
	case len(log.Lines) == 0 && binary:
		return log, errors.New("the log is no text: write it as UTF-8, packed by gzip or not")
	case len(log.Lines) == 0:
		return log, fmt.Errorf("no line of the log can be read; %s", log.Broken.First[0])
	}
	log.sort()
	return log, nil
}

// lines reads every line.
func (r Reader) lines(in *bufio.Reader, log *Log) error {
	p := newParser(log.Format)
	size := int64(0)
	for number := 1; ; number++ {
		text, length, long, err := readLine(in)
		if length == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("the log cannot be read on from line %d: %w", number, err)
		}
		if size += length; number > r.MaxLines || size > r.MaxBytes {
			return fmt.Errorf("the log is longer than %d lines or %d MiB of text: take a part of it", r.MaxLines, r.MaxBytes>>20)
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		line := Line{Number: number}
		if why := p.parse(text, long, &line); why != "" {
			log.Broken.add(number, why, text)
			continue
		}
		log.Lines, log.Format = append(log.Lines, line), p.format
	}
}

// readLine returns the next line and its length, of one that is longer than the buffer only the beginning.
func readLine(in *bufio.Reader) (text []byte, length int64, long bool, err error) {
	text, err = in.ReadSlice('\n')
	length = int64(len(text))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, length, false, err
	}
	text = bytes.Clone(text[:2*maxBrokenText]) // what follows takes the buffer
	for errors.Is(err, bufio.ErrBufferFull) {
		var rest []byte
		rest, err = in.ReadSlice('\n')
		length += int64(len(rest))
	}
	return text, length, true, err
}

// decompress returns the text of a log and tells whether it begins as no text does.
func decompress(in *bufio.Reader) (text io.Reader, binary bool, err error) {
	begin, err := in.Peek(sniffLen)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("the log cannot be read: %w", err)
	}
	if bytes.HasPrefix(begin, []byte("\x1f\x8b")) {
		packed, err := gzip.NewReader(in)
		if err != nil {
			return nil, false, fmt.Errorf("the log cannot be unpacked: %w", err)
		}
		in = bufio.NewReader(packed)
		if begin, err = in.Peek(sniffLen); err != nil && !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("the log cannot be unpacked: %w", err)
		}
	}
	if name := compressorOf(begin); name != "" {
		return nil, false, fmt.Errorf("the log is packed by %s: unpack it, or pack it by gzip", name)
	}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(begin, mark) {
		_, err = in.Discard(len(mark))
		return in, false, err
	}
	return in, bytes.IndexByte(begin, 0) >= 0, nil
}

// compressorOf names the program that packed what begins like this; "" for none that is known.
func compressorOf(begin []byte) string {
	for _, p := range [...]struct{ magic, name string }{
		{"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"}, {"PK\x03\x04", "zip"}, {"\x1f\x8b", "gzip twice"},
	} {
		if bytes.HasPrefix(begin, []byte(p.magic)) {
			return p.name
		}
	}
	return ""
}
