package acme

import (
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInspect(t *testing.T) {
	now := time.Now()
	from, until := now.Add(-time.Hour), now.Add(89*24*time.Hour)
	root := authority(t, "Root of Example", nil)
	middle := authority(t, "R10", &root)
	leaf := server(t, &middle, from, until, "onyxia.example.org", "*.lab.example.org")
	own := server(t, nil, from, until, "onyxia.example.org")
	// The issuers as the staging certificates of Let's Encrypt have them, before and after 2021.
	oldStaging, newStaging := authority(t, "Fake LE Intermediate X1", nil), authority(t, "(STAGING) Wannabe Watercress R11", nil)
	old, recent := server(t, &oldStaging, from, until, "a.b"), server(t, &newStaging, from, until, "a.b")

	for name, tc := range map[string]struct {
		cert, key []byte
		check     func(Info) bool
	}{
		"names":           {certificatePEM(leaf.certificate), nil, func(i Info) bool { return slices.Equal(i.Names, []string{"onyxia.example.org", "*.lab.example.org"}) }},
		"issuer":          {certificatePEM(leaf.certificate), nil, func(i Info) bool { return i.Issuer == "R10" && i.Trusted() }},
		"chain":           {certificatePEM(leaf.certificate, middle.certificate), nil, func(i Info) bool { return len(i.Chain) == 2 && i.ChainProblem == "" }},
		"chain, reversed": {certificatePEM(middle.certificate, leaf.certificate), nil, func(i Info) bool { return strings.Contains(i.ChainProblem, "server's own comes first") }},
		"chain, foreign":  {certificatePEM(leaf.certificate, root.certificate), nil, func(i Info) bool { return strings.Contains(i.ChainProblem, "did not sign the one before") }},
		"key":             {certificatePEM(leaf.certificate), leaf.keyPEM(t), func(i Info) bool { return i.KeyMatches }},
		"type of key":     {certificatePEM(leaf.certificate), nil, func(i Info) bool { return i.Key == KeyEC256 }},
		"foreign key":     {certificatePEM(leaf.certificate), own.keyPEM(t), func(i Info) bool { return !i.KeyMatches }},
		"no key":          {certificatePEM(leaf.certificate), nil, func(i Info) bool { return !i.KeyMatches }},
		"self-signed":     {certificatePEM(own.certificate), own.keyPEM(t), func(i Info) bool { return i.SelfSigned && !i.Trusted() }},
		"signed":          {certificatePEM(leaf.certificate), nil, func(i Info) bool { return !i.SelfSigned }},
		"old staging":     {certificatePEM(old.certificate), nil, func(i Info) bool { return i.Staging && !i.Trusted() }},
		"new staging":     {certificatePEM(recent.certificate), nil, func(i Info) bool { return i.Staging && !i.Trusted() }},
		"not staging":     {certificatePEM(leaf.certificate), nil, func(i Info) bool { return !i.Staging }},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := Inspect(tc.cert, tc.key)
			if err != nil {
				t.Fatal(err)
			}
			if !tc.check(info) {
				t.Errorf("%+v", info)
			}
		})
	}
	if _, err := Inspect([]byte("nothing"), nil); err == nil {
		t.Error("text without a certificate passes")
	}
}

func TestMissing(t *testing.T) {
	info := Info{Names: []string{"onyxia.example.org", "*.lab.example.org"}}
	for name, missing := range map[string]bool{
		"onyxia.example.org":      false,
		"ONYXIA.example.org":      false,
		"*.lab.example.org":       false,
		"minio.lab.example.org":   false,
		"lab.example.org":         true,
		"a.b.lab.example.org":     true,
		"*.example.org":           true,
		"other.example.org":       true,
		"*.minio.lab.example.org": true,
	} {
		if got := len(info.Missing([]string{name})) > 0; got != missing {
			t.Errorf("%s missing: %v, want %v", name, got, missing)
		}
	}
}

func TestImport(t *testing.T) {
	now := time.Now()
	from, until := now.Add(-time.Hour), now.Add(89*24*time.Hour)
	root := authority(t, "Root of Example", nil)
	middle := authority(t, "R10", &root)
	names := []string{"onyxia.example.org", "*.lab.example.org"}
	good := server(t, &middle, from, until, names...)
	full := certificatePEM(good.certificate, middle.certificate)
	other := server(t, &middle, from, until, names...)
	half := server(t, &middle, from, until, "onyxia.example.org", "*.example.org")
	old := server(t, &middle, from.AddDate(-1, 0, 0), from, names...)
	future := server(t, &middle, until, until.AddDate(0, 1, 0), names...)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})

	for name, tc := range map[string]struct {
		cert, key []byte
		want      []string
	}{
		"good":           {full, good.keyPEM(t), nil},
		"key in front":   {append(good.keyPEM(t), full...), good.keyPEM(t), nil},
		"foreign key":    {full, other.keyPEM(t), []string{"the key belongs to another certificate"}},
		"lacks wildcard": {certificatePEM(half.certificate), half.keyPEM(t), []string{"lacks *.lab.example.org", "is for onyxia.example.org, *.example.org"}},
		"expired":        {certificatePEM(old.certificate), old.keyPEM(t), []string{"expired on " + date(from)}},
		"not yet":        {certificatePEM(future.certificate), future.keyPEM(t), []string{"not valid before", "clock"}},
		"reversed":       {certificatePEM(middle.certificate, good.certificate), good.keyPEM(t), []string{"out of order", "fullchain.pem"}},
		"foreign chain":  {certificatePEM(good.certificate, root.certificate), good.keyPEM(t), []string{"out of order", "did not sign"}},
		"mixed up":       {good.keyPEM(t), full, []string{"mixed up"}},
		"encrypted key":  {full, encrypted, []string{"the private key is encrypted", "openssl"}},
		"no key":         {full, []byte("-"), []string{"no private key in PEM form"}},
		"no certificate": {[]byte("-"), good.keyPEM(t), []string{"no certificate in PEM form"}},
		"all at once":    {certificatePEM(old.certificate), other.keyPEM(t), []string{"another certificate", "expired"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Import(tc.cert, tc.key, names, now)
			if len(tc.want) == 0 {
				if err != nil || string(got.Chain) != string(full) || string(got.Key) != string(tc.key) {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range tc.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

func TestOldKeyForms(t *testing.T) {
	_, text, err := newKey()
	if err != nil || !strings.Contains(text, "EC PRIVATE KEY") {
		t.Fatalf("lego's form of a key: %v", err)
	}
	if _, err := parseKey([]byte(text)); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"} {
		if _, err := parseKey(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")})); err == nil {
			t.Errorf("nonsense as %s is read", kind)
		}
	}
}
