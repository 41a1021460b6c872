package accesslog

import "bytes"

// Indices of the fields of a line.
const (
	fieldTime = iota
	fieldClient
	fieldUser
	fieldRequest // method, target and protocol in one field
	fieldMethod
	fieldTarget
	fieldQuery // if separate from the target
	fieldStatus
	fieldBytes
	fieldReferer
	fieldAgent
	fieldCount
)

// fields holds the texts of a line's fields, nil if missing. They are valid as long as the text of
// the line.
type fields [fieldCount][]byte

// set stores a value unless it means "missing".
func (f *fields) set(field int, value []byte) {
	if !isMissing(value) {
		f[field] = value
	}
}

func isMissing(value []byte) bool { return len(value) == 0 || len(value) == 1 && value[0] == '-' }

// parser parses lines of one format, which it can detect.
type parser struct {
	// format is "" until it is detected. Unless it is forced, each line of a common or combined log
	// is read for what it has.
	format string
	forced bool
	json   jsonParser
	texts  interner
	fields fields
}

func newParser(format string) *parser {
	return &parser{format: format, forced: format != "", json: newJSONParser(), texts: interner{}}
}

// parse parses a line. The error is "" if it succeeds.
func (p *parser) parse(text []byte, long bool, l *Line) lineError {
	if long {
		return errLong
	}
	why := p.parseLine(text, l)
	if why != errNoPath && why != errNoTime {
		return why
	}
	if inner := wrapped(text); len(inner) > 0 {
		*l = Line{Number: l.Number}
		if p.parseLine(inner, l) == "" {
			return ""
		}
		*l = Line{Number: l.Number}
	}
	return why
}

// parseLine parses a line, or what a collector has wrapped.
func (p *parser) parseLine(text []byte, l *Line) lineError {
	if p.format != "" && (p.forced || p.format == FormatJSON) {
		return p.parseAs(p.format, text, l)
	}
	if why, ok := p.parseProxy(text, l); ok {
		return why
	}
	if text[0] == '{' {
		return p.try(FormatJSON, text, l)
	}
	if p.try(FormatCombined, text, l) == "" {
		return ""
	}
	*l = Line{Number: l.Number}
	// A line that is not in one of these formats may be any text.
	if why := p.try(FormatCommon, text, l); why != errCLF {
		return why
	}
	return errUnknown
}

// parseProxy parses a line that begins like one of Envoy or of a load balancer. It returns false if
// the line is in another format.
func (p *parser) parseProxy(text []byte, l *Line) (lineError, bool) {
	format, no := FormatEnvoy, errEnvoy
	switch {
	case isALB(text):
		format, no = FormatALB, errALB
	case text[0] != '[':
		return "", false
	}
	why := p.try(format, text, l)
	if why != no {
		return why, true
	}
	*l = Line{Number: l.Number}
	return "", false
}

// try parses a line in a format and keeps the format if that succeeds.
func (p *parser) try(format string, text []byte, l *Line) lineError {
	why := p.parseAs(format, text, l)
	if why == "" && p.format != FormatCombined { // a line of the log with agents is enough
		p.format = format
	}
	return why
}

func (p *parser) parseAs(format string, text []byte, l *Line) lineError {
	p.fields = fields{}
	var why lineError
	switch format {
	case FormatJSON:
		why = p.json.parse(text, &p.fields)
	case FormatEnvoy:
		why = parseEnvoy(text, &p.fields)
	case FormatALB:
		why = parseALB(text, &p.fields)
	default:
		why = parseCLF(text, format == FormatCombined, &p.fields)
	}
	if why != "" {
		return why
	}
	return p.fill(l)
}

// fill converts the fields to a line.
func (p *parser) fill(l *Line) (why lineError) {
	f := &p.fields
	if l.At, why = parseTime(f[fieldTime]); why != "" {
		return why
	}
	// The request line is what the client sent; separate path and query may have been rewritten.
	if why := f.splitRequest(); why != "" && (f[fieldMethod] == nil || f[fieldTarget] == nil) {
		return why
	}
	target, why := f.target()
	if why != "" {
		return why
	}
	if l.Status, why = parseStatus(f[fieldStatus]); why != "" {
		return why
	}
	if l.Bytes, why = parseSize(f[fieldBytes]); why != "" {
		return why
	}
	l.Method, l.Target = p.texts.text(f[fieldMethod]), p.texts.text(target)
	l.Client, l.User = p.texts.text(host(f[fieldClient])), p.texts.text(f[fieldUser])
	l.Referer, l.UserAgent = p.texts.text(f[fieldReferer]), p.texts.text(f[fieldAgent])
	return ""
}

// parseStatus parses a status of three digits; a missing one is 0.
func parseStatus(text []byte) (int, lineError) {
	if text == nil {
		return 0, ""
	}
	n, ok := digits(text)
	if !ok || len(text) != 3 && n != 0 || len(text) > 3 { // 0: the client hung up
		return 0, errStatus
	}
	return int(n), ""
}

// parseSize parses a number of bytes; a missing one is 0.
func parseSize(text []byte) (int64, lineError) {
	if text == nil {
		return 0, ""
	}
	n, ok := digits(text)
	if !ok {
		return 0, errBytes
	}
	return n, ""
}

// digits parses a number of at most 18 digits, which cannot overflow.
func digits(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// host returns the first address of a list, as in X-Forwarded-For, without its port: a client is
// the same on all its connections.
func host(address []byte) []byte {
	address, _, _ = bytes.Cut(address, []byte{','})
	if rest, ok := bytes.CutPrefix(address, []byte{'['}); ok { // [::1]:80
		inside, _, _ := bytes.Cut(rest, []byte{']'})
		return inside
	}
	name, port, ok := bytes.Cut(address, []byte{':'})
	if _, number := digits(port); ok && number {
		return name
	}
	return address // no port, or IPv6
}

// maxTexts bounds the table of interned texts; later ones are stored once per line.
const maxTexts = 1 << 17

// interner stores equal texts once: clients, paths and user agents repeat.
type interner map[string]string

func (in interner) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(in) < maxTexts {
		in[s] = s
	}
	return s
}
