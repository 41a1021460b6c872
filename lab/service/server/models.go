package server

import (
	"errors"
	"sync"

	"coalmine/lab/service"
)

// maxModels is the number of seeds whose models are kept. A load has one seed; several at once are rare.
const maxModels = 8

// models keeps the models of the seeds that were asked for last.
type models struct {
	compile func(seed uint64) (*service.Model, error)

	mu     sync.Mutex
	cached []cachedModel // the last one first
}

type cachedModel struct {
	seed  uint64
	model *service.Model
}

// get returns the model of a seed.
func (m *models) get(seed uint64) (*service.Model, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := 0
	for at < len(m.cached) && m.cached[at].seed != seed {
		at++
	}
	if at == len(m.cached) {
		model, err := m.compile(seed)
		if err != nil {
			return nil, err
		}
		if model == nil {
			return nil, errors.New("there is no model")
		}
		if len(m.cached) < maxModels {
			m.cached = append(m.cached, cachedModel{})
		}
		at = len(m.cached) - 1
		m.cached[at] = cachedModel{seed, model}
	}
	found := m.cached[at]
	copy(m.cached[1:at+1], m.cached[:at])
	m.cached[0] = found
	return found.model, nil
}
