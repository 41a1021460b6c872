package mesh

import (
	"testing"
	"time"
)

// TestCertificatesAreRenewed follows a certificate of two minutes, as in the recordings: the service
// that issues them is away from 5 s to 200 s.
func TestCertificatesAreRenewed(t *testing.T) {
	const life = 2 * time.Minute
	var c Certificate
	if c.Usable(0) {
		t.Error("a proxy without a certificate can use it")
	}
	c.Refresh(0, life, true)
	if c.NextRefresh() != 84*time.Second || c.Expires() != life {
		t.Errorf("next %v, expires %v", c.NextRefresh(), c.Expires())
	}
	var asked []time.Duration
	for c.NextRefresh() < 5*time.Minute {
		now := c.NextRefresh()
		asked = append(asked, now)
		c.Refresh(now, life, now >= 200*time.Second)
	}
	// 84 s, then after 70 % of the 36 s that are left, and then every 10 s.
	if want := 109200 * time.Millisecond; asked[1] != want || asked[2] != want+minRefresh {
		t.Errorf("asked at %v", asked)
	}
	back := asked[len(asked)-2]
	if back < 200*time.Second || back > 210*time.Second {
		t.Errorf("renewed at %v: not within 10 s of the service's return", back)
	}
}

func TestRefreshIsBounded(t *testing.T) {
	var c Certificate
	c.Refresh(0, 5*time.Second, true)
	if c.NextRefresh() != minRefresh {
		t.Errorf("a life of 5 s: next at %v", c.NextRefresh())
	}
	c.Refresh(0, 1000*time.Hour, true)
	if c.NextRefresh() != maxRefresh {
		t.Errorf("a life of 1000 h: next at %v", c.NextRefresh())
	}
}

// TestHandshakes compares with the recording certificate-expired.
func TestHandshakes(t *testing.T) {
	var good, ended Certificate
	good.Refresh(0, CertificateLife, true)
	ended.Refresh(0, 2*time.Minute, true)
	for _, x := range []struct {
		client, server *Certificate
		want           Handshake
	}{
		{&good, &good, HandshakeDone}, {&good, &ended, HandshakeRefused}, {&ended, &good, HandshakeBroken},
		{&ended, &ended, HandshakeRefused},
	} {
		if got := Connect(3*time.Minute, x.client, x.server); got != x.want {
			t.Errorf("client ends %v, server ends %v: got %v, want %v", x.client.Expires(), x.server.Expires(), got,
				x.want)
		}
	}
	if got := Connect(time.Minute, &ended, &ended); got != HandshakeDone {
		t.Errorf("before the end: got %v", got)
	}
}
