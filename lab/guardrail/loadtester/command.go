package loadtester

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// Load is what a load test sends: requests of one kind by a number of workers, each of which waits
// for the response before it sends the next one.
type Load struct {
	// Tool is the program of the command, such as hey.
	Tool string
	// Workers send at the same time. Each sends at most Rate requests per second; 0 is no limit.
	Workers int
	Rate    float64
	// Duration is how long they send; 0 means until Requests have been sent in total.
	Duration time.Duration
	Requests int

	Method string
	URL    *url.URL
	// Host is the header Host, if it is not that of the URL.
	Host    string
	Headers [][2]string
}

// Limits of a load test, which a command line may exceed.
const (
	maxWorkers  = 1000
	maxDuration = time.Hour // the load tester's own (flagger, cmd/loadtester/main.go, timeout)
)

// String describes the load in words.
func (l Load) String() string {
	rate := "as fast as they are answered"
	if l.Rate > 0 {
		rate = strconv.FormatFloat(l.Rate*float64(l.Workers), 'g', 4, 64) + "/s"
	}
	length := fmt.Sprintf("%d requests", l.Requests)
	if l.Duration > 0 {
		length = l.Duration.String()
	}
	return fmt.Sprintf("%s %s, %s for %s, %d at a time", l.Method, l.URL, rate, length, l.Workers)
}

// ParseCommand returns the loads of a command line, in order. The error says why it is not
// understood.
func ParseCommand(line string) ([]Load, error) {
	commands, err := splitCommands(line)
	if err != nil {
		return nil, err
	}
	var loads []Load
	for _, words := range commands {
		load, err := parseLoad(words)
		if err != nil {
			return nil, err
		}
		loads = append(loads, load)
	}
	if len(loads) == 0 {
		return nil, errors.New("there is no command")
	}
	return loads, nil
}

func parseLoad(words []string) (Load, error) {
	tool := path.Base(words[0])
	t, ok := tools()[tool]
	if !ok {
		return Load{}, fmt.Errorf("%s is none of hey, wrk, wrk2, ab, k6, curl", tool)
	}
	load := t.defaults
	load.Tool = tool
	p := parser{load: &load, rest: words[1:]}
	for len(p.rest) > 0 {
		if err := p.word(t); err != nil {
			return Load{}, fmt.Errorf("%s: %w", tool, err)
		}
	}
	if t.finish != nil {
		t.finish(&load, p.total)
	}
	return load, load.check()
}

// check checks what every tool needs.
func (l *Load) check() error {
	switch {
	case l.URL == nil:
		return fmt.Errorf("%s: no URL is on the command line", l.Tool)
	case l.Workers < 1 || l.Requests < 0 || l.Duration < 0 || l.Rate < 0:
		return fmt.Errorf("%s: a number is out of range", l.Tool)
	case l.Duration == 0 && l.Requests == 0:
		return fmt.Errorf("%s: nothing is sent", l.Tool)
	}
	l.Workers = min(l.Workers, maxWorkers)
	l.Duration = min(l.Duration, maxDuration)
	if l.Duration > 0 {
		l.Requests = 0
	}
	return nil
}

// parser parses the words of a command.
type parser struct {
	load *Load
	rest []string
	// total is a rate that the workers share.
	total float64
}

// word takes the next flag with its value, or the URL.
func (p *parser) word(t tool) error {
	word := p.rest[0]
	p.rest = p.rest[1:]
	if !strings.HasPrefix(word, "-") || word == "-" {
		return p.argument(word)
	}
	name, value, joined := strings.Cut(word, "=")
	f, known := t.flags[name]
	if !known && t.attached && len(word) > 2 && word[1] != '-' { // -t4
		if f, known = t.flags[word[:2]]; known && f != nil {
			name, value, joined = word[:2], word[2:], true
		}
	}
	switch {
	case !known:
		return fmt.Errorf("flag %s is not understood", name)
	case f == nil: // without a value
		return nil
	case !joined && len(p.rest) == 0:
		return fmt.Errorf("flag %s has no value", name)
	case !joined:
		value = p.rest[0]
		p.rest = p.rest[1:]
	}
	if err := f(p, value); err != nil {
		return fmt.Errorf("%s %s: %w", name, value, err)
	}
	return nil
}

// argument takes a word that is no flag: the URL. Others, such as a script, say nothing about it.
func (p *parser) argument(word string) error {
	if !strings.Contains(word, "://") && p.load.Tool == "k6" {
		return nil
	}
	if !strings.Contains(word, "://") {
		word = "http://" + word
	}
	u, err := url.Parse(word)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s is not a URL that the lab can call", word)
	}
	p.load.URL = u
	return nil
}

func (p *parser) header(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("a header is NAME: VALUE")
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if strings.EqualFold(name, "host") {
		p.load.Host = value
		return nil
	}
	p.load.Headers = append(p.load.Headers, [2]string{strings.ToLower(name), value})
	return nil
}
