package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearest(t *testing.T) {
	many := []string{"5.4.0", "5.0.13", "4.0.0", "not-a-version", "5.0.12", "5.0.14", "3.1.0", "5.1.0"}
	tests := []struct {
		wanted string
		have   []string
		want   []string
	}{
		{"5.0.99", many, []string{"5.0.12", "5.0.13", "5.0.14", "5.1.0", "5.4.0"}},
		{"1.0.0", many, []string{"3.1.0", "4.0.0", "5.0.12", "5.0.13", "5.0.14"}},
		{"9.0.0", many, []string{"5.0.12", "5.0.13", "5.0.14", "5.1.0", "5.4.0"}},
		{"what", []string{"1.0.0", "2.0.0"}, []string{"1.0.0", "2.0.0"}},
		{"1.0.0", nil, []string{}},
	}
	for _, tt := range tests {
		got := nearest(tt.wanted, tt.have)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("nearest(%s) (-want +got):\n%s", tt.wanted, diff)
		}
	}
}

func TestVersionSteps(t *testing.T) {
	tests := []struct {
		from, to    string
		down, major bool
	}{
		{"1.2.3", "1.2.4", false, false},
		{"1.2.3", "2.0.0", false, true},
		{"2.0.0", "1.9.9", true, false},
		{"v1.0.0", "1.0.0", false, false},
		{"1.0.0", "1.0.0-rc.1", true, false},
		{"latest", "1.0.0", false, false},
	}
	for _, tt := range tests {
		if downgrade(tt.from, tt.to) != tt.down || majorJump(tt.from, tt.to) != tt.major {
			t.Errorf("%s to %s: downgrade %v, major %v", tt.from, tt.to, downgrade(tt.from, tt.to), majorJump(tt.from, tt.to))
		}
	}
}
