package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// B7: one type for what must not print, whatever it is printed by and wherever it is.
func TestB7TextDoesNotPrint(t *testing.T) {
	v := New("hunter2")
	type holder struct {
		V       Text
		private Text
		Pointer *Text
		any     any
	}
	h := holder{V: v, private: v, Pointer: &v, any: v}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%e", "%T %v", "%c", "%U"} {
		for _, shown := range []any{v, &v, h, &h, []Text{v}, map[string]Text{"k": v}, []any{h}, map[string]*holder{"k": &h}} {
			fmt.Fprintf(&out, verb+"\n", shown)
		}
	}
	fmt.Fprintln(&out, v, h, v.String(), fmt.Errorf("x: %v: %w", v, errors.New("y")))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v, "h", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v, "h", h)
	if err := json.NewEncoder(&out).Encode(h); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, form := range []string{"hunter2", "68756e74657232", "68756E74657232", "104 117 110"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("%s is in\n%s", form, out.String())
		}
	}
	if v.Reveal() != "hunter2" || !v.Equal(New("hunter2")) || v.Equal(Text{}) || !(Text{}).Empty() || v.Empty() {
		t.Error("the value is lost")
	}
}
