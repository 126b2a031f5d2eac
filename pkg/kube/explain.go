package kube

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterError says in one sentence why the cluster did not do what was asked, and what to do next.
type ClusterError struct {
	What string
	Next string
	// Missing are the rights that the API server did not find, where that is the cause.
	Missing []Right
	// Needed are all rights of the command, the missing ones among them; the role has them all, because applying it takes the
	// place of one that was given before. Without them it has the missing ones.
	Needed []Right
	Err    error
}

func (e *ClusterError) Error() string {
	if len(e.Missing) == 0 {
		return e.What + "; " + e.Next
	}
	return e.What + "; " + e.Next + ":\n" + AsRole(each(append(e.Needed, e.Missing...)))
}

func (e *ClusterError) Unwrap() error { return e.Err }

// Explain turns what the Kubernetes client says about missing rights, refused credentials, certificates that are not
// trusted and API servers that do not answer into a *ClusterError. Of several errors joined, those with the same cause
// are told once, and all missing rights make one role. Anything else comes back as it is.
func Explain(err error) error {
	var told []error
	var denied *ClusterError
	explained := false
	for _, one := range Parts(err) {
		e := explain(one)
		explained = explained || e != nil
		switch {
		case e == nil:
			told = append(told, one)
		case len(e.Missing) > 0 && denied != nil:
			denied.add(e)
		case !slices.ContainsFunc(told, func(other error) bool { return other.Error() == e.Error() }):
			told = append(told, e)
			if len(e.Missing) > 0 {
				denied = e
			}
		}
	}
	switch {
	case !explained:
		return err
	case len(told) == 1:
		return told[0]
	}
	return errors.Join(told...)
}

// add joins the rights of another refusal.
func (e *ClusterError) add(other *ClusterError) {
	e.Missing = each(append(e.Missing, other.Missing...))
	e.What, e.Err = denial(e.Missing), errors.Join(e.Err, other.Err)
}

// Parts are the errors that were joined by errors.Join. One that says more than its parts is a part itself.
func Parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	if list := joined.Unwrap(); errors.Join(list...).Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, Parts(one)...)
	}
	return all
}

func explain(err error) *ClusterError {
	var told *ClusterError
	if errors.As(err, &told) {
		return told
	}
	for _, look := range []func(error) *ClusterError{forbidden, refused, untrusted, unanswered, unreachable, troubled} {
		if told = look(err); told != nil {
			told.Err = err
			return told
		}
	}
	return nil
}

// forbidden reads the right out of the message; the API server says it nowhere else
// (k8s.io/apiserver pkg/endpoints/handlers/responsewriters/errors.go).
func forbidden(err error) *ClusterError {
	if !apierrors.IsForbidden(err) {
		return nil
	}
	if strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held") {
		return &ClusterError{What: "this user may not grant rights that it does not have itself (" + oneLine(err.Error()) + ")", Next: "run the command as a user with the ClusterRole cluster-admin"}
	}
	message := regexp.MustCompile(`cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)
	found := message.FindStringSubmatch(err.Error())
	if found == nil {
		return nil
	}
	missing := []Right{{Verb: found[1], Resource: found[2], Group: found[3], Namespace: found[4]}}
	return &ClusterError{What: denial(missing), Next: askForRole, Missing: missing}
}

// Denied is an error about missing rights that names more of them than the request did that was refused, and all that the
// command takes.
func Denied(err error, missing, needed []Right) *ClusterError {
	missing = each(missing)
	return &ClusterError{What: denial(missing), Next: askForRole, Missing: missing, Needed: needed, Err: err}
}

// each sorts rights and leaves out what is there twice.
func each(rights []Right) []Right {
	return slices.Compact(slices.SortedFunc(slices.Values(rights), compareRights))
}

const askForRole = "ask an administrator for this role"

// rightsTold is how many rights a sentence names; the role has them all.
const rightsTold = 4

func denial(missing []Right) string {
	var all []string
	for _, r := range missing {
		all = append(all, r.String())
	}
	if more := len(all) - rightsTold; more > 0 {
		all = append(all[:rightsTold], fmt.Sprintf("and %d more such things", more))
	}
	return "this user may not " + strings.Join(all, ", ")
}

// refused is about who we are.
func refused(err error) *ClusterError {
	const next = "log in to the cluster again, or choose another user with --context, --user or KUBECONFIG"
	if apierrors.IsUnauthorized(err) {
		return &ClusterError{What: "the API server does not accept these credentials; they may have expired", Next: next}
	}
	if _, said, ok := strings.Cut(err.Error(), "getting credentials: "); ok {
		return &ClusterError{What: "the kubeconfig's program for credentials failed: " + oneLine(said), Next: next}
	}
	return nil
}

// untrusted is about who the API server is.
func untrusted(err error) *ClusterError {
	host, ours := apiServer(err)
	if !ours {
		return nil
	}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return &ClusterError{What: "the certificate of the API server at " + host + " is signed by an authority that the kubeconfig does not know", Next: "check certificate-authority in the kubeconfig, and whether something stands between here and the cluster"}
	case errors.As(err, &name):
		return &ClusterError{What: fmt.Sprintf("the API server's certificate is not for %s (%v)", host, name), Next: "use an address that it is for, or set tls-server-name in the kubeconfig"}
	case errors.As(err, &invalid):
		return &ClusterError{What: fmt.Sprintf("the certificate of the API server at %s is not valid: %v", host, invalid), Next: "have it renewed, and check this machine's clock"}
	}
	return nil
}

// unanswered is about a request that got lost.
func unanswered(err error) *ClusterError {
	var lost *UnansweredError
	if !errors.As(err, &lost) {
		return nil
	}
	at := "the API server"
	if host, ours := apiServer(err); ours {
		at += " at " + host
	}
	times := ""
	if lost.Tries > 1 {
		times = fmt.Sprintf(", %d times", lost.Tries)
	}
	return &ClusterError{What: fmt.Sprintf("%s did not answer %s %s: %s%s", at, lost.Method, lost.Path, lost.Why, times), Next: runAgain + "what is between here and the cluster (VPN, proxy, load balancer)"}
}

const runAgain = "run the same command again: it goes on from what is there; should it stay so, look at "

// troubled is about an API server that answers that it cannot.
func troubled(err error) *ClusterError {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code < http.StatusInternalServerError {
		return nil
	}
	said := status.Status()
	return &ClusterError{What: fmt.Sprintf("the API server answered %d: %s", said.Code, oneLine(said.Message)), Next: runAgain + "`kubectl get --raw '/readyz?verbose'`, and at the admission webhook if one is named"}
}

// Passing reports whether an error may be gone at the next look: no answer, a server in trouble, or an object that was
// written since it was read. The write may have been carried out, so what is there has to be observed again.
func Passing(err error) bool {
	var lost *UnansweredError
	var status apierrors.APIStatus
	if errors.As(err, &lost) {
		return true
	}
	if errors.As(err, &status) {
		switch code := status.Status().Code; code {
		case http.StatusConflict:
			return !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict)
		default:
			return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
		}
	}
	_, ours := apiServer(err)
	return ours && neverSent(err)
}

// unreachable is about the way there.
func unreachable(err error) *ClusterError {
	host, ours := apiServer(err)
	if !ours {
		return nil
	}
	const next = "check that the cluster runs and its network or VPN is up, or choose another one with --context or KUBECONFIG"
	var lookup *net.DNSError
	var timeout net.Error
	switch {
	case host == "localhost:8080":
		return &ClusterError{What: "no cluster is configured (tried localhost:8080, which does not answer)", Next: "set KUBECONFIG or --kubeconfig"}
	case errors.As(err, &lookup):
		return &ClusterError{What: "the name of the API server, " + lookup.Name + ", is not known to DNS", Next: next}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &ClusterError{What: "nothing answers at the API server's address " + host + " (connection refused)", Next: next}
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH):
		return &ClusterError{What: "there is no route to the API server at " + host, Next: next}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &ClusterError{What: "the API server at " + host + " did not answer in time", Next: next}
	}
	return nil
}

// apiServer tells whether a failed request went to a Kubernetes API, by its path: other systems are asked over HTTP too.
func apiServer(err error) (host string, ours bool) {
	var request *url.Error
	if !errors.As(err, &request) {
		return "", false
	}
	u, parseErr := url.Parse(request.URL)
	if parseErr != nil {
		return "", false
	}
	path := u.Path + "/"
	return u.Host, strings.Contains(path, "/apis/") || strings.Contains(path, "/api/v1/") || strings.HasSuffix(path, "/api/") || strings.HasSuffix(path, "/version/")
}
