package ingress

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// issuerRecord is the DNS record of the login. Onyxia's API, MinIO and Vault look it up in their pods and are of no use
// without it, so what stands on the login waits for it here, where somebody says what for.
type issuerRecord struct {
	host     string
	outside  *engine.Output[[]kube.Address]
	kube     *kube.Client
	cluster  *clusterDNS
	here     *net.Resolver
	private  bool
	patience time.Duration
	warn     func(string)
}

// IssuerHost is the host of the login, when it is one of those that the datalab's own records lead to.
func IssuerHost(p platform.Platform) (string, bool) {
	issuer, err := url.Parse(p.Issuer())
	if err != nil || !p.HasAuth() || !p.Serves(issuer.Hostname()) {
		return "", false
	}
	return issuer.Hostname(), true
}

// IssuerRecordID is the step of IssuerRecord.
func IssuerRecordID(host string) engine.ID { return engine.ID("record.dns/" + host) }

// IssuerRecord is the step that waits, for so long, until pods can look up the host of the login. It writes nothing.
func IssuerRecord(env stage.Env, host string, patience time.Duration) engine.Step {
	return engine.New(IssuerRecordID(host), &issuerRecord{
		host: host, outside: env.Links.Address, kube: env.Kube, cluster: &clusterDNS{kube: env.Kube}, here: net.DefaultResolver,
		private: env.Platform.Ingress.PrivateDNS, patience: patience, warn: env.Warn,
	}, stage.AddressID)
}

// issuerSeen is what was found out about a host.
type issuerSeen struct {
	// Missing says that the host has no address, and who said so; empty if it has one.
	Missing string
	// Found are its addresses, none if nobody could be asked.
	Found []string
	// Unasked is why nobody could be asked.
	Unasked string
}

// Observe asks the cluster's DNS, and this machine's where that cannot be asked. Only a clear no counts as missing.
func (r *issuerRecord) Observe(ctx context.Context) (issuerSeen, error) {
	outside, err := r.outside.Get()
	if err != nil {
		return issuerSeen{}, err
	}
	found, err := r.cluster.addresses(ctx, r.host)
	switch {
	case ctx.Err() != nil:
		return issuerSeen{}, context.Cause(ctx)
	case err != nil:
		return r.lookHere(ctx, err), nil
	case len(found) == 0:
		return issuerSeen{Missing: "the cluster's DNS knows no " + r.host}, nil
	}
	return issuerSeen{Found: found}, r.compare(ctx, found, outside)
}

// lookHere asks this machine's resolver, which may know other names than pods do.
func (r *issuerRecord) lookHere(ctx context.Context, unasked error) issuerSeen {
	if r.private {
		return issuerSeen{Unasked: unasked.Error()}
	}
	found, err := r.here.LookupHost(ctx, r.host+".")
	switch {
	case err == nil:
		return issuerSeen{Found: found}
	case lookupError(err) == noRecord:
		return issuerSeen{Missing: fmt.Sprintf("%s cannot be looked up from here, and the cluster's DNS could not be asked (%s; if only the cluster knows the name, set ingress.privateDNS: true)", r.host, unasked)}
	}
	return issuerSeen{Unasked: fmt.Sprintf("%s; %s", unasked, err)}
}

// compare warns of a record that leads elsewhere. That may be right: through a proxy, or by a way inside of the cluster.
func (r *issuerRecord) compare(ctx context.Context, found []string, outside []kube.Address) error {
	var wanted []string
	for _, a := range outside {
		if a.Hostname == "" {
			wanted = append(wanted, a.IP.String())
			continue
		}
		its, err := r.cluster.addresses(ctx, a.Hostname)
		if err != nil || len(its) == 0 {
			// Then there is nothing to compare with.
			return nil
		}
		wanted = append(wanted, its...)
	}
	for _, address := range found {
		inside, err := r.kube.LeadsInside(ctx, address, outside)
		if err != nil {
			return err
		}
		if inside || slices.Contains(wanted, address) {
			return nil
		}
	}
	if !r.private {
		r.warn(fmt.Sprintf("in the cluster %s leads to %s, and the ingress controller is at %s: correct the DNS record, unless there is a proxy in between", r.host, strings.Join(found, ", "), words(outside)))
	}
	return nil
}

// Plan waits as long as the record is missing.
func (r *issuerRecord) Plan(seen issuerSeen) engine.Change {
	switch {
	case seen.Missing != "":
		return engine.Change{Action: engine.Pending, Why: seen.Missing, Fix: "create the DNS records that `kubectl onyxia ingress dns` prints"}
	case seen.Unasked != "":
		return engine.Change{Action: engine.Unchanged, Why: "not looked at: " + seen.Unasked}
	}
	return engine.Change{Action: engine.Unchanged, Why: "leads to " + strings.Join(seen.Found, ", ")}
}

// Apply has nothing to write.
func (r *issuerRecord) Apply(context.Context, issuerSeen) error { return nil }

// Ready is the same question.
func (r *issuerRecord) Ready(ctx context.Context) (engine.Health, error) {
	seen, err := r.Observe(ctx)
	if err != nil || seen.Missing == "" {
		return engine.Health{Ready: err == nil}, err
	}
	return engine.Health{Reason: seen.Missing + "; Onyxia's API, MinIO and Vault find the login by it: create the DNS records that `kubectl onyxia ingress dns` prints"}, nil
}

// Patience is how long a record is waited for that only a person can make. The question itself takes a moment.
func (r *issuerRecord) Patience() time.Duration { return max(r.patience, time.Second) }
