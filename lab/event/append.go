package event

import (
	"encoding/json"
	"strconv"
	"time"
)

// Traffic facts make up most of a log, so they are encoded by hand: the same bytes as package json
// produces, in a fifth of the time.

// factJSON appends a fact's data.
func factJSON(b []byte, f Fact) ([]byte, error) {
	if t, ok := f.(Traffic); ok {
		return t.append(b), nil
	}
	data, err := json.Marshal(f)
	return append(b, data...), err
}

func (t Traffic) append(b []byte) []byte {
	b = append(b, `{"from":`...)
	b = appendSeconds(b, time.Duration(t.From))
	b = append(b, `,"to":`...)
	b = appendSeconds(b, time.Duration(t.To))
	b = append(b, `,"cells":`...)
	b = appendCells(b, t.Cells)
	if t.HurtSoFar != 0 {
		b = strconv.AppendInt(append(b, `,"hurt_so_far":`...), int64(t.HurtSoFar), 10)
	}
	return append(b, '}')
}

func appendCells(b []byte, cells []Cell) []byte {
	if cells == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = cells[i].append(b)
	}
	return append(b, ']')
}

func (c *Cell) append(b []byte) []byte {
	b = appendText(append(b, `{"cohort":`...), c.Cohort)
	b = appendText(append(b, `,"route":`...), c.Route)
	if c.Workload != "" {
		b = appendText(append(b, `,"workload":`...), c.Workload)
	}
	if c.Version != "" {
		b = appendText(append(b, `,"version":`...), c.Version)
	}
	b = append(b, `,"n":`...)
	b = strconv.AppendInt(b, int64(c.N), 10)
	for _, p := range [...]struct {
		key string
		n   int
	}{
		{`,"retried":`, c.Retried}, {`,"proxyRetried":`, c.ProxyRetried}, {`,"errors":`, c.Errors},
		{`,"denied":`, c.Denied}, {`,"limited":`, c.Limited}, {`,"slow":`, c.Slow}, {`,"wrong":`, c.Wrong}, {`,"bad":`, c.Bad},
		{`,"hit":`, c.Hit}, {`,"harm":`, c.Harm}, {`,"mesh":`, c.ByMesh},
	} {
		if p.n != 0 {
			b = append(b, p.key...)
			b = strconv.AppendInt(b, int64(p.n), 10)
		}
	}
	if len(c.Latency) > 0 {
		b = append(b, `,"lat":[`...)
		for i, l := range c.Latency {
			if i > 0 {
				b = append(b, ',')
			}
			b = l.append(b)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func (l BucketCount) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, '['), int64(l.Bucket), 10)
	b = strconv.AppendInt(append(b, ','), int64(l.Count), 10)
	return append(b, ']')
}

// appendText appends a string as package json does.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			data, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // marshalling a string does not fail
			}
			return append(b, data...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
