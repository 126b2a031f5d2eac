package tls

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// The second run writes nothing and asks the authority nothing.
func TestIssueOnceThenNothing(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	mark := s.cluster.Mark(t)
	s.must(t, Options{}, engine.Create)
	written := strings.Join(mark.Writes(t), "\n")
	if n := strings.Count(written, "/namespaces/"+s.config.Ingress.Namespace+"/secrets"); n != 1 {
		t.Errorf("the certificate was written by %d requests:\n%s", n, written)
	}
	secret := s.secret(t)
	if secret.Type != corev1.SecretTypeTLS || secret.Annotations[directoryAnnotation] != s.ca.Directory || secret.Labels[kube.ManagedByLabel] != kube.FieldManager {
		t.Errorf("secret: %s %v %v", secret.Type, secret.Labels, secret.Annotations)
	}
	if _, err := acme.Import(secret.Data["tls.crt"], secret.Data["tls.key"], names, time.Now()); err != nil {
		t.Error(err)
	}
	s.noRecords(t)

	mark, asked := s.cluster.Mark(t), s.ca.Requests()
	s.complete(t)
	s.must(t, Options{}, engine.Unchanged)
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("the second run wrote: %v", writes)
	}
	if n := s.ca.Requests() - asked; n != 0 {
		t.Errorf("the second run asked the authority %d times", n)
	}
	for _, secret := range []string{acmetest.Secret, "PRIVATE KEY"} {
		if strings.Contains(s.transcript(), secret) {
			t.Errorf("a secret was told:\n%s", s.transcript())
		}
	}
}

func TestRenew(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	before := s.secret(t)
	s.must(t, renewal(), engine.Configure)
	after := s.secret(t)
	if string(before.Data["tls.key"]) == string(after.Data["tls.key"]) || string(before.Data["tls.crt"]) == string(after.Data["tls.crt"]) {
		t.Error("the certificate or its key is the old one")
	}
	if strings.Count(s.transcript(), "registered an account") != 1 {
		t.Errorf("said:\n%s", s.transcript())
	}
	if !strings.Contains(s.ca.Log(), "is a replacement of") {
		t.Error("the new order does not name the old certificate")
	}
}

// When a certificate is due by the clock, and what the authority suggests from the middle of its life on.
func TestDueByTheClock(t *testing.T) {
	s := newSite(t, acmetest.Options{Validity: 90 * day})
	s.must(t, Options{}, engine.Create)
	later := func(d time.Duration) Options {
		return Options{Now: func() time.Time { return time.Now().Add(d) }}
	}
	asked := s.ca.Requests()
	s.must(t, later(40*day), engine.Unchanged)
	if n := s.ca.Requests() - asked; n != 0 {
		t.Errorf("asked %d times in the first half of the certificate's life", n)
	}
	run := s.run(t, later(46*day))
	if _, err := run.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.ca.Requests() == asked {
		t.Error("the authority was not asked in the second half")
	}
	plan, err := s.run(t, later(75*day)).Plan(t.Context())
	if err != nil || plan.Steps[0].Change.Action != engine.Configure || !strings.Contains(plan.Steps[0].Change.Why, "15 days left of 90") {
		t.Errorf("%+v, %v", plan.Steps, err)
	}
}

func TestInterruptedThenRunAgain(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupt := errors.New("interrupted")
	_, err := s.issue(ctx, t, Options{Progress: func(line string) {
		s.tell(line)
		if strings.HasPrefix(line, "TXT record") {
			cancel(interrupt)
		}
	}})
	if !errors.Is(err, interrupt) {
		t.Errorf("error: %v", err)
	}
	s.noRecords(t)
	s.complete(t)
	s.must(t, Options{Progress: s.tell}, engine.Create)
	if said := s.transcript(); strings.Count(said, "registered an account") != 1 || !strings.Contains(said, "taking up the order") {
		t.Errorf("said:\n%s", said)
	}
	s.noRecords(t)
}

// Accounts of several authorities live side by side, and a change of authority means a new certificate.
func TestOtherAuthority(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	second := acmetest.Start(t, s.dns, acmetest.Options{})
	s.config.TLS.ACME = platform.ACME{Server: second.Directory, CABundle: string(second.CAPEM)}
	s.complete(t)
	change := s.must(t, Options{}, engine.Configure)
	if !strings.Contains(change.Why, "wanted from "+second.Directory) {
		t.Errorf("why: %s", change.Why)
	}
	kept, err := s.cluster.Clientset().CoreV1().Secrets(s.config.App.Namespace).Get(t.Context(), AccountSecret, metav1.GetOptions{})
	if err != nil || len(kept.Data) != 2 {
		t.Errorf("accounts: %v, %v", kept, err)
	}
}

func TestBlockedBeforeAnythingIsWritten(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*testing.T, *site)
		want   []string
	}{
		"no provider":      {func(_ *testing.T, s *site) { s.config.TLS.DNS.Provider = "" }, []string{"--dns-provider", "tls.dns.provider", "tls import"}},
		"unknown provider": {func(_ *testing.T, s *site) { s.config.TLS.DNS.Provider = "cloudfare" }, []string{"did you mean cloudflare"}},
		"no credentials":   {func(t *testing.T, _ *site) { t.Setenv("DNSUPDATE_NAMESERVER", "") }, []string{"DNSUPDATE_NAMESERVER"}},
		"nobody's secret":  {func(_ *testing.T, s *site) { s.config.TLS.Mode = "existing" }, []string{"there is no secret", "tls import"}},
		"no namespace":     {func(_ *testing.T, s *site) { s.config.Ingress.Namespace = "nowhere" }, []string{"namespace nowhere", "ingress.namespace"}},
		"namespace ends": {func(t *testing.T, s *site) { s.config.Ingress.Mode = "install"; s.end(t) },
			[]string{"known after namespace/", "the namespace is being deleted", "kubectl onyxia ingress install"}},
		"foreign one ends": {func(t *testing.T, s *site) { s.end(t) }, []string{"is being deleted; wait until it is there again"}},
		"no ingress yet": {func(_ *testing.T, s *site) { s.config.Ingress.Mode, s.config.Ingress.Namespace = "install", "not-yet" },
			[]string{"known after namespace/not-yet", "kubectl onyxia ingress install"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, acmetest.Options{})
			tc.change(t, s)
			s.complete(t)
			mark, asked := s.cluster.Mark(t), s.ca.Requests()
			_, err := s.issue(t.Context(), t, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range tc.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if writes := mark.Writes(t); len(writes) > 0 || s.ca.Requests() != asked {
				t.Errorf("wrote %v, asked the authority %d times", writes, s.ca.Requests()-asked)
			}
		})
	}
}

func TestImport(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	ordered := s.secret(t)
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	for path, text := range map[string][]byte{certificate: ordered.Data["tls.crt"], key: ordered.Data["tls.key"]} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.cluster.Clientset().CoreV1().Secrets(ordered.Namespace).Delete(t.Context(), ordered.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	files, err := ReadFiles(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, Options{Bring: files}, engine.Create)
	mark := s.cluster.Mark(t)
	s.must(t, Options{Bring: files}, engine.Unchanged)
	s.must(t, Options{}, engine.Unchanged) // `kubectl onyxia tls issue` leaves a good certificate, whoever ordered it
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("a second import wrote: %v", writes)
	}
	report, err := Status(t.Context(), s.env, time.Time{})
	if err != nil || report.Source != "import" || len(report.Missing) > 0 || report.Certificate == nil {
		t.Errorf("%+v, %v", report, err)
	}

	s.config.TLS.DNS.Provider = ""
	s.complete(t)
	s.must(t, Options{Now: func() time.Time { return time.Now().Add(75 * day) }}, engine.Pending)
}

func TestImportOfUselessFiles(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	ordered := s.secret(t)
	files := &Files{Certificate: ordered.Data["tls.crt"], Key: ordered.Data["tls.key"]}
	s.config.Domain = "other.test"
	s.complete(t)
	if _, err := s.issue(t.Context(), t, Options{Bring: files}); err == nil || !strings.Contains(err.Error(), "lacks onyxia.other.test, *.lab.other.test") {
		t.Errorf("error: %v", err)
	}
	if _, err := ReadFiles("nothing.pem", "nothing.pem"); err == nil {
		t.Error("a file that isn't there was read")
	}
}

func TestStatus(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	look := func(now time.Time) Report {
		t.Helper()
		report, err := Status(t.Context(), s.env, now)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if r := look(time.Time{}); r.Found || r.Next.Action != engine.Create {
		t.Errorf("before: %+v", r)
	}
	s.must(t, Options{}, engine.Create)
	r := look(time.Time{})
	if r.Source != "acme" || r.Directory != s.ca.Directory || r.Due || !r.Certificate.Staging {
		t.Errorf("after: %+v", r)
	}
	if left := time.Until(r.RenewAt); left < 59*day || left > 61*day {
		t.Errorf("renewal in %s", left)
	}
	if r := look(time.Now().Add(75 * day)); !r.Due || r.Next.Action != engine.Configure {
		t.Errorf("late: %+v", r)
	}
}

func TestUninstall(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	run := s.run(t, Options{})
	plan, err := run.PlanRemoval(t.Context(), nil)
	if err != nil || plan.Steps[0].Change.Action != engine.Kept {
		t.Fatalf("%+v, %v", plan.Steps, err)
	}
	plan, err = run.PlanRemoval(t.Context(), map[engine.ID]bool{stage.CertificateID: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	for ns, name := range map[string]string{s.config.Ingress.Namespace: "onyxia-tls", s.config.App.Namespace: AccountSecret} {
		if _, err := s.cluster.Clientset().CoreV1().Secrets(ns).Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s/%s: %v", ns, name, err)
		}
	}
}

// What somebody else put there is neither deleted nor overwritten without a word.
func TestForeignSecret(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	secret := s.secret(t)
	secret.Labels, secret.Annotations = map[string]string{"team": "web"}, map[string]string{"note": "ours"}
	if _, err := s.cluster.Clientset().CoreV1().Secrets(secret.Namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.must(t, Options{}, engine.Unchanged)
	run := s.run(t, Options{})
	plan, err := run.PlanRemoval(t.Context(), map[engine.ID]bool{stage.CertificateID: true})
	if err != nil || plan.Steps[0].Change.Action != engine.Kept {
		t.Errorf("%+v, %v", plan.Steps, err)
	}
	if change := s.must(t, Options{RenewBefore: time.Now()}, engine.Configure); change.Risk == "" {
		t.Error("no risk is named")
	}
	after := s.secret(t)
	if after.Labels["team"] != "web" || after.Annotations["note"] != "ours" {
		t.Errorf("labels %v, annotations %v", after.Labels, after.Annotations)
	}
}

// A directory whose address says nothing may still be one for trying out. Then the good certificate stays.
func TestStagingDoesNotReplaceARealOne(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	c := newOrdered(s.env, Options{})
	secrets := s.cluster.Clientset().CoreV1().Secrets(s.config.Ingress.Namespace)
	old, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "onyxia-tls"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seen := Seen{Now: time.Now(), Held: heldFor(time.Now().Add(-70*day), func(h *Held) { h.Directory = s.ca.Directory; h.Info.Names = nil; h.secret = old })}
	if err := c.Apply(t.Context(), seen); err == nil || !strings.Contains(err.Error(), "the old certificate was left as it is") {
		t.Errorf("error: %v", err)
	}
	if after := s.secret(t); after.ResourceVersion != old.ResourceVersion {
		t.Errorf("something was written: %v", after)
	}
}

// end begins to delete the controller's namespace, which stays because nobody empties it.
func (s *site) end(t *testing.T) {
	t.Helper()
	if err := s.cluster.Clientset().CoreV1().Namespaces().Delete(t.Context(), s.config.Ingress.Namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
