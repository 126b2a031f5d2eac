package stage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// KeycloakReleaseID is the release whose server the realm is in, when we install it.
const KeycloakReleaseID engine.ID = "release.helm/keycloak"

// KeycloakAccountSecret holds the service account with which we configure the realm, in Keycloak's namespace (in Onyxia's
// when Keycloak lives elsewhere).
const KeycloakAccountSecret = "keycloak-service-account"

// keycloakService is the Service of chart keycloakx for a release of that name.
const (
	keycloakService = "keycloak-http"
	keycloakPort    = 80
)

// Keycloak is the connection to the platform's Keycloak. Stages share it, and with it what was read of the realm.
type Keycloak struct {
	// Realm of the datalab, over our own service account.
	Realm *keycloak.Realm
	// Own is the connection with the service account, Bootstrap the one with an administrator.
	Own, Bootstrap *keycloak.Admin
	// Account is the service account.
	Account keycloak.ServiceAccount
	// Secret is where the service account's secret is kept.
	Secret *kube.Generated
	// Namespace of that Secret.
	Namespace string

	client *kube.Client
	// administrator is where the credentials of an administrator are.
	administrator administrator
}

// keycloakAccount begins the client_id of the service account, before the name of its realm: another datalab on the same server
// has another realm.
const keycloakAccount = "kubectl-onyxia-"

// NewKeycloak makes the connection; nothing is sent before it is used. Keycloak is reached by port-forward through the API
// server when we install it: no administrator's password crosses the network outside of the cluster, and neither DNS nor
// certificate has to be there.
func NewKeycloak(p platform.Platform, client *kube.Client) *Keycloak {
	k := &Keycloak{Namespace: p.Auth.Namespace, client: client, administrator: administratorOf(p)}
	base := strings.TrimRight(p.Auth.URL, "/")
	transport, err := externalTransport(p)
	if err != nil {
		// Nothing is sent yet; the first request says it.
		transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	if p.Auth.InstallsKeycloak() {
		base = "http://" + keycloakService + "." + p.Auth.Namespace + ".svc" + platform.KeycloakRelativePath
		transport = &http.Transport{DialContext: TunnelDialer(client, p.Auth.Namespace, keycloakService, keycloakPort, KeycloakReleaseID)}
	} else {
		k.Namespace = p.App.Namespace
	}
	httpClient := secret.Client(transport, 0)
	k.Secret = kube.NewGenerated(client, k.Namespace, KeycloakAccountSecret, map[string]kube.Generate{
		"clientSecret": kube.Password(kube.SecretLength),
	})
	k.Bootstrap = keycloak.NewAdmin(base, httpClient, func(ctx context.Context) (keycloak.Credentials, error) {
		return k.administrator.credentials(ctx, client)
	})
	var started string
	if p.Auth.InstallsKeycloak() {
		started = KeycloakBootstrapUser
	}
	k.Account = keycloak.ServiceAccount{BootstrapUser: started, ID: keycloakAccount + p.Auth.Realm, Realm: p.Auth.Realm, Bootstrap: k.Bootstrap, Secret: k.secret}
	k.Own = keycloak.NewAdmin(base, httpClient, k.Account.Credentials)
	k.Realm = k.Own.Realm(p.Auth.Realm)
	return k
}

func (k *Keycloak) secret(ctx context.Context) (string, error) {
	value, err := k.Secret.Value(ctx, "clientSecret")
	if err != nil {
		return "", err
	}
	return value.Reveal(), nil
}

// TunnelDialer dials a Service through the API server; the tunnel is opened at the first connection. A Service that is
// not there is known after the step that makes it.
func TunnelDialer(client *kube.Client, namespace, service string, port int, madeBy engine.ID) func(context.Context, string, string) (net.Conn, error) {
	var mu sync.Mutex
	var tunnel *kube.Tunnel
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if tunnel == nil {
			opened, err := client.Forward(ctx, namespace, service, port)
			if apierrors.IsNotFound(err) {
				return nil, &engine.NotYetError{After: madeBy, Why: err.Error()}
			}
			if err != nil {
				return nil, err
			}
			tunnel = opened
		}
		conn, err := tunnel.DialContext(ctx, network, address)
		if err != nil {
			err = errors.Join(err, tunnel.Close())
			tunnel = nil
		}
		return conn, err
	}
}
