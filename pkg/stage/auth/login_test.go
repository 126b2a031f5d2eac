package auth

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// What the admin brings along is looked at before anything is written, and what is wrong with it is said with what to do.
func TestLogins(t *testing.T) {
	const key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	database := platform.Auth{Database: platform.Database{Mode: platform.DatabaseExternal, Host: "pg.a.org", CredentialsSecret: "login"}}
	ses := func(namespace string) platform.Auth {
		return platform.Auth{SMTP: platform.SMTP{
			Host: "email-smtp.eu-west-1.amazonaws.com", From: "lab@a.org", Username: "AKIAIOSFODNN7EXAMPLE", PasswordSecret: namespace + "/login",
		}}
	}
	p := newPlant(t)
	sso := platform.Auth{Mode: "keycloak", URL: "http://127.0.0.1:1/auth", CredentialsSecret: p.namespace + "/login"}
	for name, c := range map[string]struct {
		auth      platform.Auth
		data      map[string]string // nil for no Secret
		why, fix  string
		told      string
		elsewhere bool // in a namespace that is not there
		volume    bool // of a database of ours
	}{
		"there":               {auth: database, data: map[string]string{"username": "u", "password": "p"}},
		"not there":           {auth: database, why: "auth.database.credentialsSecret names secret NS/login, which is not there", fix: "write username=... and password=... on a line each into a file and run `kubectl -n NS create secret generic login --from-env-file=FILE`"},
		"no namespace either": {auth: database, elsewhere: true, why: "which is not there", fix: "after `kubectl create namespace nowhere`"},
		"no password":         {auth: database, data: map[string]string{"username": "u"}, why: "secret NS/login, which auth.database.credentialsSecret names, has no password", fix: "kubectl -n NS edit secret login"},
		"neither":             {auth: database, data: map[string]string{"user": "u"}, why: "has no username and no password", fix: "--from-env-file"},
		"an empty password":   {auth: database, data: map[string]string{"username": "u", "password": ""}, why: "has no password", fix: "--from-env-file"},
		"a line break":        {auth: database, data: map[string]string{"username": "u", "password": "p\n"}, told: "password in secret NS/login ends with a line break"},
		"a database of ours":  {auth: database, data: map[string]string{"username": "u", "password": "p"}, volume: true, told: "unless pg.a.org has them already"},
		"an administrator":    {auth: sso, data: map[string]string{"username": "u", "password": "p"}},
		"a client's":          {auth: sso, data: map[string]string{"clientId": "c", "clientSecret": "s"}},
		"no administrator":    {auth: sso, why: "auth.credentialsSecret names secret NS/login, which is not there", fix: "write username=... and password=..."},
		"half a client":       {auth: sso, data: map[string]string{"clientId": "c"}, why: "has no username and no password"},
		"mail":                {auth: ses(p.namespace), data: map[string]string{"password": "BBJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEYabc"}},
		"mail, no Secret":     {auth: ses(p.namespace), why: "auth.smtp.passwordSecret names secret NS/login", fix: "write password=... into a file"},
		"mail, an AWS key":    {auth: ses(p.namespace), data: map[string]string{"password": key}, told: "derived from it"},
	} {
		t.Run(name, func(t *testing.T) {
			c.auth.Namespace = p.namespace
			if c.elsewhere {
				c.auth.Namespace = "nowhere"
			}
			env, said := datalab(t, c.auth)
			env.Kube, env.Keycloak = p.client, stage.NewKeycloak(env.Platform, p.client)
			if c.volume {
				volumes := p.cluster.Clientset().CoreV1().PersistentVolumeClaims(p.namespace)
				claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: databaseName}, Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
				}}
				if _, err := volumes.Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := volumes.Delete(t.Context(), databaseName, metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
					if _, err := volumes.Patch(t.Context(), databaseName, types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{}); err != nil {
						t.Error(err)
					}
				}()
			}
			secrets := p.cluster.Clientset().CoreV1().Secrets(p.namespace)
			if c.data != nil {
				made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "login"}, StringData: c.data}
				if _, err := secrets.Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := secrets.Delete(t.Context(), "login", metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				}()
			}
			run := engine.Run{Steps: logins(env)}
			if len(run.Steps) != 1 {
				t.Fatalf("%d steps", len(run.Steps))
			}
			mark := p.cluster.Mark(t)
			var change engine.Change
			for range 2 {
				change = planned(t, run).Steps[0].Change
			}
			if writes := mark.Writes(t); len(writes) > 0 {
				t.Errorf("wrote %q", writes)
			}
			here := strings.NewReplacer("NS", p.namespace)
			want := engine.Unchanged
			if c.why != "" {
				want = engine.Blocked
			}
			if change.Action != want || !strings.Contains(change.Why, here.Replace(c.why)) || !strings.Contains(change.Fix, here.Replace(c.fix)) {
				t.Errorf("%+v", change)
			}
			told := strings.Join(*said, "\n")
			if (c.told == "") != (told == "") || !strings.Contains(told, here.Replace(c.told)) || len(*said) > 1 {
				t.Errorf("told %q", *said)
			}
			for _, value := range c.data {
				if len(value) > 8 && strings.Contains(told+change.Why+change.Fix, value) {
					t.Error("a secret is told")
				}
			}
		})
	}
}

// Only what the configuration names is looked for.
func TestNoLogins(t *testing.T) {
	for name, auth := range map[string]platform.Auth{
		"ours":                      {},
		"an operator's":             {Database: platform.Database{Mode: platform.DatabaseCloudNativePG}},
		"a database of no Keycloak": {Mode: "oidc", URL: "https://idp.a.org", Database: platform.Database{Mode: platform.DatabaseExternal}},
		"mail without a login":      {SMTP: platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}},
	} {
		env, _ := datalab(t, auth)
		if list := logins(env); len(list) != 0 {
			t.Errorf("%s: %d", name, len(list))
		}
	}
}
