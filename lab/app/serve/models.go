package serve

import (
	"errors"
	"sync"

	"coalmine/lab/app"
)

// maxModels is the number of seeds whose models are kept. A load has one seed; several at once are rare.
const maxModels = 8

// models keeps the models of the seeds that were asked for last.
type models struct {
	compile func(seed uint64) (*app.Model, error)

	mu   sync.Mutex
	kept []seeded // the last one first
}

type seeded struct {
	seed  uint64
	model *app.Model
}

// of returns the model of a seed.
func (m *models) of(seed uint64) (*app.Model, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := 0
	for at < len(m.kept) && m.kept[at].seed != seed {
		at++
	}
	if at == len(m.kept) {
		model, err := m.compile(seed)
		if err != nil {
			return nil, err
		}
		if model == nil {
			return nil, errors.New("there is no model")
		}
		if len(m.kept) < maxModels {
			m.kept = append(m.kept, seeded{})
		}
		at = len(m.kept) - 1
		m.kept[at] = seeded{seed, model}
	}
	found := m.kept[at]
	copy(m.kept[1:at+1], m.kept[:at])
	m.kept[0] = found
	return found.model, nil
}
