package installation

import (
	"slices"
	"sync"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
)

// standOnLogin are the stages that are of no use as long as pods cannot look up the host of the login.
func standOnLogin() []string { return []string{"auth", "s3", "vault", "app"} }

// withIssuerRecord puts the DNS record of the login before what needs it, in runs that are about it. The record is no part
// of the stage ingress, which stands without a login as well.
func (i *Installation) withIssuerRecord(steps []engine.Step, env stage.Env, names []string) []engine.Step {
	host, ours := ingress.IssuerHost(i.Platform)
	about := slices.ContainsFunc(standOnLogin(), func(name string) bool { return slices.Contains(names, name) })
	known := slices.ContainsFunc(steps, func(s engine.Step) bool { return s.ID == stage.AddressID })
	if !ours || !about || !known || !env.Has("auth") {
		return steps
	}
	record := ingress.IssuerRecord(env, host, i.dnsWait)
	for n, s := range steps {
		if s.Stage == "auth" || slices.Contains(s.Needs, stage.IssuerID) {
			steps[n].Needs = append(s.Needs, record.ID)
		}
	}
	return append(steps, engine.Stage(baseStage, record)...)
}

// tellingRecords tells the records as soon as a run has to wait for one.
func (i *Installation) tellingRecords(env stage.Env, report func(engine.Event)) func(engine.Event) {
	host, ours := ingress.IssuerHost(i.Platform)
	if !ours || i.records == nil || report == nil {
		return report
	}
	var once sync.Once
	return func(e engine.Event) {
		if e.ID == ingress.IssuerRecordID(host) && (e.Kind == engine.Waiting || e.Kind == engine.Failed) {
			if addresses, err := env.Links.Address.Get(); err == nil {
				once.Do(func() { i.records(ingress.Records(i.Platform, addresses)) })
			}
		}
		report(e)
	}
}

// afterServed puts what needs the certificate after the sight of it: a certificate that nobody serves is of no use.
func afterServed(steps []engine.Step) []engine.Step {
	if !slices.ContainsFunc(steps, func(s engine.Step) bool { return s.ID == tls.ServedID }) {
		return steps
	}
	for n, s := range steps {
		if s.ID != tls.ServedID && s.Stage != "tls" && slices.Contains(s.Needs, stage.CertificateID) {
			steps[n].Needs = append(s.Needs, tls.ServedID)
		}
	}
	return steps
}
