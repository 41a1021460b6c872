package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// number is a float that is encoded as a JSON number, or as "+Inf" or "-Inf".
type number float64

// MarshalJSON implements [json.Marshaler].
func (n number) MarshalJSON() ([]byte, error) {
	switch f := float64(n); {
	case math.IsInf(f, 1):
		return []byte(`"+Inf"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Inf"`), nil
	default:
		return json.Marshal(f)
	}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(data []byte) error {
	switch text := string(data); text {
	case `"+Inf"`, `"-Inf"`:
		f, err := strconv.ParseFloat(text[1:len(text)-1], 64)
		*n = number(f)
		return err
	}
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("%s is not a number, \"+Inf\" or \"-Inf\"", data)
	}
	*n = number(f)
	return nil
}

// queryJSON is [Query] in a log.
type queryJSON struct {
	Asker  string  `json:"asker,omitempty"`
	Metric string  `json:"metric,omitempty"`
	PromQL string  `json:"promql"`
	Value  *number `json:"value,omitempty"`
	Min    *number `json:"min,omitempty"`
	Max    *number `json:"max,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// MarshalJSON writes infinite values as texts, for which JSON has no numbers.
func (q Query) MarshalJSON() ([]byte, error) {
	return json.Marshal(queryJSON{
		q.Asker, q.Metric, q.PromQL, (*number)(q.Value), (*number)(q.Min), (*number)(q.Max), q.Error,
	})
}

// UnmarshalJSON reads the format of [Query.MarshalJSON]. Unknown fields are errors.
func (q *Query) UnmarshalJSON(data []byte) error {
	var w queryJSON
	if err := strict(data, &w); err != nil {
		return err
	}
	*q = Query{w.Asker, w.Metric, w.PromQL, (*float64)(w.Value), (*float64)(w.Min), (*float64)(w.Max), w.Error}
	return nil
}
