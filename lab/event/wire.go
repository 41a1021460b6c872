package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// MarshalJSON writes decimal seconds, rounded to microseconds.
func (s Seconds) MarshalJSON() ([]byte, error) { return appendSeconds(nil, time.Duration(s)), nil }

// UnmarshalJSON reads decimal seconds.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	d, err := parseSeconds(data)
	*s = Seconds(d)
	return err
}

// appendSeconds appends d in seconds without exponent and trailing zeros, so that equal times have
// equal bytes.
func appendSeconds(b []byte, d time.Duration) []byte {
	us := d.Round(time.Microsecond).Microseconds()
	return strconv.AppendFloat(b, float64(us)/1e6, 'f', -1, 64)
}

func parseSeconds(data []byte) (time.Duration, error) {
	f, err := strconv.ParseFloat(string(data), 64)
	const limit = 1e9 // 31 years
	if err != nil || f < 0 || f > limit {
		return 0, fmt.Errorf("time %q is not a number of seconds between 0 and 1e9", data)
	}
	return time.Duration(f*1e6+0.5) * time.Microsecond, nil
}

// MarshalJSON writes {"seq":…,"at":…,"kind":…,"data":{…}} with the keys in this order.
func (e Event) MarshalJSON() ([]byte, error) { return e.append(nil) }

func (e Event) append(b []byte) ([]byte, error) {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, int64(e.Seq), 10)
	b = append(b, `,"at":`...)
	b = appendSeconds(b, e.At)
	b = append(b, `,"kind":"`...)
	b = append(b, e.Fact.Kind()...)
	b = append(b, `","data":`...)
	b, err := factJSON(b, e.Fact)
	if err != nil {
		return nil, fmt.Errorf("event %d (%s): %w", e.Seq, e.Fact.Kind(), err)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads the format of [Event.MarshalJSON]. Unknown kinds and fields are errors.
func (e *Event) UnmarshalJSON(data []byte) error {
	var w struct {
		Seq  int             `json:"seq"`
		At   Seconds         `json:"at"`
		Kind Kind            `json:"kind"`
		Data json.RawMessage `json:"data"`
	}
	if err := strict(data, &w); err != nil {
		return err
	}
	f, err := decodeFact(w.Kind, w.Data)
	if err != nil {
		return fmt.Errorf("event %d: %w", w.Seq, err)
	}
	*e = Event{Seq: w.Seq, At: time.Duration(w.At), Fact: f}
	return nil
}

// EncodeFact returns a fact's data as in a log, for protocols that have their own sequence numbers
// and times.
func EncodeFact(f Fact) ([]byte, error) { return factJSON(nil, f) }

// DecodeFact decodes the data of a fact of kind k, as written by [EncodeFact]. Unknown kinds and
// fields are errors.
func DecodeFact(k Kind, data []byte) (Fact, error) { return decodeFact(k, data) }

func decodeFact(k Kind, data []byte) (Fact, error) {
	switch k {
	case KindRunStarted:
		return decode[RunStarted](data)
	case KindStage:
		return decode[Stage](data)
	case KindRunEnded:
		return decode[RunEnded](data)
	case KindApplied:
		return decode[Applied](data)
	case KindDeleted:
		return decode[Deleted](data)
	case KindLeftOut:
		return decode[LeftOut](data)
	case KindReleased:
		return decode[Released](data)
	case KindWorkload:
		return decode[Workload](data)
	case KindCanary:
		return decode[Canary](data)
	case KindFlagger:
		return decode[Flagger](data)
	case KindAlert:
		return decode[Alert](data)
	case KindRoute:
		return decode[Route](data)
	case KindQuery:
		return decode[Query](data)
	case KindGate:
		return decode[Gate](data)
	case KindRollbackDrill:
		return decode[RollbackDrill](data)
	case KindLoadTest:
		return decode[LoadTest](data)
	case KindLoadTester:
		return decode[LoadTester](data)
	case KindTraffic:
		return decode[Traffic](data)
	case KindTrafficTotals:
		return decode[TrafficTotals](data)
	case KindMesh:
		return decode[Mesh](data)
	}
	return nil, fmt.Errorf("kind %q is unknown: the log was written by a newer coalmine, or was edited", k)
}

func decode[F Fact](data []byte) (Fact, error) {
	var f F
	if err := strict(data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Kind(), err)
	}
	return f, nil
}

func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
