package server

import (
	"errors"
	"sync"

	"coalmine/lab/service"
)

// maxModels limits the cached models. A load test uses one seed; several at a time are rare.
const maxModels = 8

// models is an LRU cache of models by seed.
type models struct {
	compile func(seed uint64) (*service.Model, error)

	mu     sync.Mutex
	cached []cachedModel // most recently used first
}

type cachedModel struct {
	seed  uint64
	model *service.Model
}

// get returns the model for a seed.
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
