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

// Default limits of a [Reader].
const (
	// MaxLines is the maximum number of lines.
	MaxLines = 2_000_000
	// MaxBytes is the maximum size, uncompressed.
	MaxBytes = 1 << 30
	// maxLine is the maximum length of a line; a longer one is broken.
	maxLine = 64 << 10
	// sniffLen is how many bytes are checked for binary data.
	sniffLen = 4 << 10
)

// Reader reads logs. The zero value detects the format and uses the default limits.
type Reader struct {
	// Format is one of [Formats]; "" means the format of the first line that matches one.
	Format string
	// MaxLines and MaxBytes limit the log; 0 means the package's default.
	MaxLines int
	MaxBytes int64
}

// Read reads a log in one of the [Formats], or detects the format if it is "". It applies the
// default limits.
func Read(in io.Reader, format string) (Log, error) { return Reader{Format: format}.Read(in) }

// Read reads a log, which may be compressed with gzip. Lines that cannot be parsed are counted;
// blank lines are ignored. It returns an error if no line can be parsed, if the log exceeds the
// limits, or if the input is not text. The log returned with an error has the broken lines read so
// far.
func (r Reader) Read(in io.Reader) (Log, error) {
	if r.Format != "" && !slices.Contains(Formats(), r.Format) {
		return Log{}, fmt.Errorf("unknown log format %q: write %s, or omit it to detect the format", r.Format,
			strings.Join(Formats(), ", "))
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
		return log, errors.New("the log is not text: convert it to UTF-8, optionally compressed with gzip")
	case len(log.Lines) == 0:
		return log, fmt.Errorf("no line of the log can be parsed; %s", log.Broken.First[0])
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
			return fmt.Errorf("cannot read the log after line %d: %w", number, err)
		}
		if size += length; number > r.MaxLines || size > r.MaxBytes {
			return fmt.Errorf("the log is longer than %d lines or %d MiB of text: use a part of it", r.MaxLines,
				r.MaxBytes>>20)
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if stripped := withoutPrefix(text); len(stripped) > 0 {
			text = stripped
		}
		line := Line{Number: number}
		if why := p.parse(text, long, &line); why != "" {
			log.Broken.add(number, why, text)
			continue
		}
		log.Lines, log.Format = append(log.Lines, line), p.format
	}
}

// readLine returns the next line and its length. If the line is longer than the buffer, it returns
// the start.
func readLine(in *bufio.Reader) (text []byte, length int64, long bool, err error) {
	text, err = in.ReadSlice('\n')
	length = int64(len(text))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, length, false, err
	}
	text = bytes.Clone(text[:2*maxBrokenText]) // the buffer is overwritten below
	for errors.Is(err, bufio.ErrBufferFull) {
		var rest []byte
		rest, err = in.ReadSlice('\n')
		length += int64(len(rest))
	}
	return text, length, true, err
}

// decompress returns the text of a log, and reports whether its start looks like text.
func decompress(in *bufio.Reader) (text io.Reader, binary bool, err error) {
	start, err := in.Peek(sniffLen)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("cannot read the log: %w", err)
	}
	if bytes.HasPrefix(start, []byte("\x1f\x8b")) {
		packed, err := gzip.NewReader(in)
		if err != nil {
			return nil, false, fmt.Errorf("cannot decompress the log: %w", err)
		}
		in = bufio.NewReader(packed)
		if start, err = in.Peek(sniffLen); err != nil && !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("cannot decompress the log: %w", err)
		}
	}
	if name := compressorOf(start); name != "" {
		return nil, false, fmt.Errorf("the log is compressed with %s: decompress it or use gzip", name)
	}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(start, mark) {
		_, err = in.Discard(len(mark))
		return in, false, err
	}
	return in, bytes.IndexByte(start, 0) >= 0, nil
}

// compressorOf returns the name of the compression program whose files start like this, or "" if
// unknown.
func compressorOf(start []byte) string {
	for _, p := range [...]struct{ magic, name string }{
		{"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"}, {"PK\x03\x04", "zip"},
		{"\x1f\x8b", "gzip twice"},
	} {
		if bytes.HasPrefix(start, []byte(p.magic)) {
			return p.name
		}
	}
	return ""
}
