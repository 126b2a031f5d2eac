package installation

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
)

// standing is a step that is always as wanted.
type standing struct{ observe func() }

func (s standing) Observe(context.Context) (bool, error) {
	if s.observe != nil {
		s.observe()
	}
	return true, nil
}
func (standing) Plan(bool) engine.Change           { return engine.Change{Action: engine.Unchanged} }
func (standing) Apply(context.Context, bool) error { return nil }

// withLogin gives the stages the steps that the record of the login goes by.
func (s *site) withLogin() {
	of := func(name string, make func(env stage.Env) []engine.Step) stage.Stage {
		return stage.Stage{Name: name, Verb: "install", Steps: func(_ context.Context, env stage.Env) ([]engine.Step, error) { return make(env), nil }}
	}
	s.options.Stages = []stage.Stage{
		of("ingress", func(env stage.Env) []engine.Step {
			known := standing{observe: func() { env.Links.Address.Set([]kube.Address{{IP: netip.MustParseAddr("192.0.2.7")}}) }}
			return []engine.Step{engine.New(stage.AddressID, known)}
		}),
		of("auth", func(stage.Env) []engine.Step {
			return []engine.Step{engine.New("realm/a", standing{}), engine.New(stage.IssuerID, standing{}, "realm/a")}
		}),
		of("s3", func(stage.Env) []engine.Step {
			return []engine.Step{engine.New("bucket/a", standing{}), engine.New("release/minio", standing{}, stage.IssuerID)}
		}),
		of("app", func(env stage.Env) []engine.Step {
			if env.Has("auth") {
				return []engine.Step{engine.New(stage.AppID, standing{}, stage.IssuerID)}
			}
			return []engine.Step{engine.New(stage.AppID, standing{})}
		}),
	}
}

// Whatever stands on the login comes after its DNS record; what does not has nothing to do with it.
func TestTheRecordOfTheLoginComesFirst(t *testing.T) {
	const record = "record.dns/auth.lab.a.org"
	for name, c := range map[string]struct {
		auth    platform.Auth
		present []string
		run     []string
		after   []engine.ID
	}{
		"without login":       {run: []string{"ingress", "app"}},
		"login":               {run: []string{"ingress", "auth"}, after: []engine.ID{stage.IssuerID, "realm/a", "stage.onyxia/auth"}},
		"all":                 {run: []string{"ingress", "auth", "s3", "app"}, after: []engine.ID{stage.IssuerID, "realm/a", stage.AppID, "release/minio", "stage.onyxia/auth"}},
		"on a login":          {present: []string{"auth"}, run: []string{"s3"}, after: []engine.ID{stage.IssuerID, "realm/a", "release/minio", "stage.onyxia/auth"}},
		"below a login":       {present: []string{"auth"}, run: []string{"ingress"}},
		"the issuer's own":    {auth: platform.Auth{Mode: "oidc", URL: "https://idp.b.org"}, run: []string{"ingress", "auth"}},
		"no login is wanted":  {auth: platform.Auth{Mode: "none"}, present: []string{"auth"}, run: []string{"ingress", "app"}},
		"an app with a login": {present: []string{"auth"}, run: []string{"app"}, after: []engine.ID{stage.IssuerID, "realm/a", stage.AppID, "stage.onyxia/auth"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.withLogin()
			s.options.Flags.Auth = c.auth
			i := s.open(t)
			for _, name := range c.present {
				i.Present[name] = true
			}
			run, err := i.Run(t.Context(), nil, c.run...)
			if err != nil {
				t.Fatal(err)
			}
			var after []engine.ID
			there := false
			for _, step := range run.Steps {
				if slices.Contains(step.Needs, record) {
					after = append(after, step.ID)
				}
				there = there || step.ID == record && run.Selected(step) && slices.Contains(step.Needs, stage.AddressID)
			}
			slices.Sort(after)
			slices.Sort(c.after)
			same(t, after, c.after)
			if there != (len(c.after) > 0) {
				t.Errorf("the record is part of the run: %v", there)
			}
		})
	}
}

// The records are told once, as soon as the run begins to wait, and only then.
func TestRecordsAreToldOnce(t *testing.T) {
	s := newSite(t)
	s.withLogin()
	var told []string
	s.options.Records = func(records []ingress.Record) {
		for _, r := range records {
			told = append(told, r.String())
		}
	}
	i := s.open(t)
	var events []string
	run, err := i.Run(t.Context(), tell(&events), "ingress", "auth")
	if err != nil {
		t.Fatal(err)
	}
	wait := engine.Event{Kind: engine.Waiting, ID: "record.dns/auth.lab.a.org"}
	run.Report(wait)
	if told != nil {
		t.Errorf("told before there is an address: %v", told)
	}
	if _, err := run.Plan(t.Context()); err != nil { // makes the address known
		t.Fatal(err)
	}
	if told != nil {
		t.Errorf("told before anything waits: %v", told)
	}
	run.Report(wait)
	run.Report(wait)
	same(t, told, []string{"onyxia.a.org. A 192.0.2.7", "*.lab.a.org. A 192.0.2.7"})
}

// A certificate is of use to others only as far as it is served.
func TestTheSightOfTheCertificateComesFirst(t *testing.T) {
	s := newSite(t)
	s.withLogin()
	of := func(name string, steps ...engine.Step) stage.Stage {
		return stage.Stage{Name: name, Verb: "install", Steps: func(context.Context, stage.Env) ([]engine.Step, error) { return slices.Clone(steps), nil }}
	}
	s.options.Stages = append(s.options.Stages,
		of("tls", engine.New(stage.CertificateID, standing{}), engine.New(tls.ServedID, standing{}, stage.CertificateID)),
		of("vault", engine.New("reach/vault", standing{}, stage.CertificateID), engine.New("policy/a", standing{})))
	run, err := s.open(t).Run(t.Context(), nil, "ingress", "tls", "vault")
	if err != nil {
		t.Fatal(err)
	}
	var after []engine.ID
	for _, step := range run.Steps {
		if slices.Contains(step.Needs, tls.ServedID) {
			after = append(after, step.ID)
		}
	}
	slices.Sort(after)
	same(t, after, []engine.ID{"reach/vault", "stage.onyxia/tls"})
}
