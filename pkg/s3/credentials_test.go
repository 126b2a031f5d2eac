package s3

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestCredentialsNeverPrintTheirSecrets(t *testing.T) {
	c := NewCredentials("AKIA", "very-secret-key", "very-secret-session", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	type holder struct {
		Public  Credentials
		private Credentials
		Pointer *Credentials
	}
	h := holder{Public: c, private: c, Pointer: &c}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", &c)
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
		fmt.Fprintf(&out, verb+"\n", &Client{Endpoint: "http://x", Credentials: c})
		fmt.Fprintf(&out, verb+"\n", fmt.Errorf("with %v: %w", c, errors.New("x")))
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "credentials", c, "holder", h)
	if err := json.NewEncoder(&out).Encode(h); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "very-secret") {
		t.Fatalf("a secret is in\n%s", out.String())
	}
	if !strings.Contains(out.String(), "AKIA (secret not shown) until 2026-01-02T03:04:05Z") {
		t.Fatalf("the access key is not in\n%s", out.String())
	}
	if secret, session := c.Reveal(); secret != "very-secret-key" || session != "very-secret-session" {
		t.Fatal("Reveal does not reveal")
	}
	if (Credentials{}).String() != "anonymous" || !(Credentials{}).Anonymous() {
		t.Fatal("the zero value is not anonymous")
	}
}
