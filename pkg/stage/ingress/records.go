package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Record is a DNS record that has to exist (RFC 1035 section 5).
type Record struct {
	Name  string `json:"name"` // without a dot at the end
	Type  string `json:"type"` // A, AAAA or CNAME
	Value string `json:"value"`
}

// String is the record as a line of a zone file.
func (r Record) String() string {
	value := r.Value
	if r.Type == "CNAME" {
		value += "."
	}
	return fmt.Sprintf("%s. %s %s", r.Name, r.Type, value)
}

// Records are the ones that lead to the addresses: for the Onyxia host and for everything below the lab domain.
func Records(p platform.Platform, addresses []kube.Address) []Record {
	var out []Record
	for _, name := range p.CertificateNames() {
		for _, a := range addresses {
			out = append(out, record(name, a))
		}
	}
	return out
}

func record(name string, a kube.Address) Record {
	if a.Hostname != "" {
		return Record{Name: name, Type: a.Record(), Value: a.Hostname}
	}
	return Record{Name: name, Type: a.Record(), Value: a.IP.String()}
}

// Seen is what a resolver answers for one wanted name.
type Seen struct {
	Name   string   `json:"name"`
	Wanted []string `json:"wanted"`
	Found  []string `json:"found"`
	Error  string   `json:"error,omitempty"`
	OK     bool     `json:"ok"`
}

// probeLabel stands for any service below the lab domain: a wildcard record answers for it.
const probeLabel = "kubectl-onyxia-probe"

// Look asks a resolver for every wanted name. A wanted host name is resolved by the same resolver, because a resolver
// follows a CNAME by itself.
func Look(ctx context.Context, resolver *net.Resolver, records []Record) []Seen {
	var out []Seen
	for _, name := range names(records) {
		s := Seen{Name: name}
		for _, r := range records {
			if r.Name == name {
				s.Wanted = append(s.Wanted, wanted(ctx, resolver, r)...)
			}
		}
		host := strings.Replace(name, "*", probeLabel, 1)
		found, err := resolver.LookupHost(ctx, host)
		if err != nil {
			s.Error = lookupError(err)
		}
		slices.Sort(found)
		slices.Sort(s.Wanted)
		s.Found = found
		s.OK = err == nil && len(found) > 0 && slices.Equal(slices.Compact(found), slices.Compact(s.Wanted))
		out = append(out, s)
	}
	return out
}

func names(records []Record) []string {
	var out []string
	for _, r := range records {
		if !slices.Contains(out, r.Name) {
			out = append(out, r.Name)
		}
	}
	return out
}

func wanted(ctx context.Context, resolver *net.Resolver, r Record) []string {
	if r.Type != "CNAME" {
		return []string{r.Value}
	}
	found, err := resolver.LookupHost(ctx, r.Value)
	if err != nil {
		return []string{r.Value}
	}
	return found
}

// noRecord is what a resolver says when it is sure.
const noRecord = "no such record"

func lookupError(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return noRecord
	}
	return err.Error()
}
