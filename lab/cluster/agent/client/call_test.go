package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"coalmine/lab/cluster/agent/client"
)

func TestRestartedAgent(t *testing.T) {
	instance, status := "a", http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if instance != "" {
			w.Header().Set(client.InstanceHeader, instance)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"Facts": 7}`))
	}))
	defer server.Close()
	c := &client.Agent{Base: server.URL + "/"}
	ask := func() error {
		got, err := c.Status(t.Context())
		if err == nil && got.Facts != 7 {
			t.Errorf("status %+v", got)
		}
		return err
	}
	var refused *client.StatusError
	if err := ask(); err != nil {
		t.Error(err)
	}
	instance, status = "", http.StatusBadGateway // of the API server
	if err := ask(); !errors.As(err, &refused) || refused.Status != http.StatusBadGateway ||
		refused.Body != `{"Facts": 7}` {
		t.Error(err)
	}
	instance, status = "b", http.StatusOK
	if err := ask(); !errors.Is(err, client.ErrRestarted) {
		t.Error(err)
	}
}
