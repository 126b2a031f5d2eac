package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// site is one Vault, as one run sees it.
type site struct {
	env     stage.Env
	options Options
	// release is the server; zero when it lives elsewhere.
	release vault.Release
	chart   profile.Chart
	// reached are the connections to the servers, without a token.
	reached []*vault.Client
	// makesRoot is the connection by which key shares make root tokens.
	makesRoot *vault.Client
	// keys is nil when nobody knows where they are.
	keys *Keys
	// tokens is the agreement to send a token that was given by hand.
	tokens  agreement
	session session
	// clusterUID is the UID of the cluster, once it was asked for.
	clusterUID struct {
		sync.Mutex
		value string
	}
	// asking is held while a person is asked for a key share.
	asking sync.Mutex
	// realm are the steps of the clients in the realm.
	realm []engine.Step
	// policy is the text of the operator's policy.
	policy string
}

func newSite(ctx context.Context, env stage.Env, o Options) (*site, error) {
	s := &site{env: env, options: o, keys: o.Keys}
	if o.Keys != nil {
		s.keys = o.Keys.at(s)
	}
	if o.Sessions != nil {
		o.Sessions.add(&s.session)
	}
	if o.Removing && !s.external() {
		// What is inside goes with the volume. A token for another Vault must not stand in the way.
		s.options.Token = vault.Secret{}
	}
	if s.external() {
		public, err := env.Public()
		if err != nil {
			return nil, err
		}
		s.reached = []*vault.Client{{HTTP: public, Address: env.Platform.VaultURL()}}
		s.makesRoot = s.reached[0]
		return s, nil
	}
	if err := s.chosen(); err != nil {
		return nil, err
	}
	for _, pod := range s.servers() {
		s.reached = append(s.reached, s.forwarded(pod, port))
	}
	s.makesRoot = s.reached[0]
	if s.release.Flavor == vault.FlavorOpenBao && s.release.GenerateRoot {
		s.makesRoot = s.forwarded(s.release.Pod(), vault.GenerateRootPort)
	}
	return s, s.kept(ctx)
}

// chosen settles chart and server.
func (s *site) chosen() error {
	p := s.env.Platform
	component, err := s.env.Profile.Component(p.Vault.Flavor)
	if err != nil {
		return err
	}
	s.chart = component.Chart
	s.release = vault.Release{
		Flavor: p.Vault.Flavor, Image: component.Images["server"], Dev: p.Vault.Mode == platform.VaultDev, Replicas: p.Vault.Replicas,
		Host: p.VaultHost(), IngressClass: p.Ingress.Class, Size: p.Vault.Size, StorageClass: p.Vault.StorageClass,
		GenerateRoot: p.Vault.GenerateRoot,
	}
	if s.release.GenerateRoot {
		s.env.Warn("vault.generateRoot is on: key shares alone make root tokens and other key shares, and on Vault whoever reaches the server can disturb that; switch it off again when that is done")
	}
	if s.release.Dev {
		s.env.Warn("vault.mode is dev: every secret of every user is gone when its pod restarts, and whoever reads the pod's log is root in it; for trying out only")
	}
	if component.EndOfLife != "" {
		s.env.Warn(component.EndOfLife)
	}
	return nil
}

// kept finds the Secret with the keys, if somebody asked for one.
func (s *site) kept(ctx context.Context) error {
	if s.keys != nil || s.release.Dev {
		return nil
	}
	_, err := s.env.Kube.Clientset.CoreV1().Secrets(s.namespace()).Get(ctx, KeysSecret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("look for secret %s/%s, where the keys of vault may be: %w", s.namespace(), KeysSecret, kube.Explain(err))
	}
	s.keys = (&Keys{found: true}).at(s)
	return nil
}

// identity is this Vault, as keys name it.
func (s *site) identity(ctx context.Context) (vault.Identity, error) {
	here := vault.Identity{Address: s.env.Platform.VaultURL()}
	if s.external() || s.env.Kube == nil {
		return here, nil
	}
	s.clusterUID.Lock()
	defer s.clusterUID.Unlock()
	if s.clusterUID.value == "" {
		uid, err := s.env.Kube.UID(ctx)
		if err != nil {
			return here, err
		}
		s.clusterUID.value = uid
	}
	here.Cluster = s.clusterUID.value
	return here, nil
}

func (s *site) external() bool { return s.env.Platform.Vault.External() }

func (s *site) namespace() string { return s.env.Platform.Vault.Namespace }

// operated tells whether a service account of the realm configures Vault, so that later runs need no key. In a Vault that
// others run it has no rights: there a token is given.
func (s *site) operated() bool {
	return s.env.Platform.Auth.ConfiguresRealm() && !s.external() && !s.release.Dev
}

// say tells a line to whoever listens.
func (s *site) say(line string) {
	if s.options.Say != nil {
		s.options.Say(line)
	}
}

// beforeRights are the steps without which nobody can have rights, or make use of them.
func (s *site) beforeRights() []engine.ID {
	needs := append(s.open(), stage.IssuerID)
	for _, step := range s.realm {
		needs = append(needs, step.ID)
	}
	return needs
}

// token is the one given by hand, or the one that the configuration names; empty for none.
func (s *site) token(ctx context.Context) (vault.Secret, error) {
	if !s.options.Token.Empty() {
		return s.options.Token, nil
	}
	if s.release.Dev {
		return s.devToken(ctx)
	}
	named := s.env.Platform.Vault.CredentialsSecret
	if s.operated() || named == "" {
		return vault.Secret{}, nil
	}
	return namedToken(ctx, s.env.Kube, named)
}

func namedToken(ctx context.Context, client *kube.Client, named string) (vault.Secret, error) {
	secret, err := client.NamedSecret(ctx, "vault.credentialsSecret", named, "token")
	if err != nil {
		return vault.Secret{}, err
	}
	return vault.NewSecret(strings.TrimSpace(secret["token"])), nil
}

// devToken is the one that a server in dev mode made for itself; it stands in its pod only.
func (s *site) devToken(ctx context.Context) (vault.Secret, error) {
	out, err := s.exec(s.release.Pod())(ctx, []string{"/bin/sh", "-c", `cat "$HOME/.vault-token"`}, nil)
	if err != nil {
		return vault.Secret{}, fmt.Errorf("token of the server in dev mode: %w", err)
	}
	token := strings.TrimSpace(string(out))
	if token == "" {
		return vault.Secret{}, errors.New("the server in dev mode has left no token in its pod")
	}
	return vault.NewSecret(token), nil
}

// exec runs commands in the server's container, which both charts call after the program.
func (s *site) exec(pod string) vault.Exec {
	return func(ctx context.Context, command []string, stdin []byte) ([]byte, error) {
		return s.env.Kube.Exec(ctx, s.namespace(), pod, s.release.Flavor, command, stdin)
	}
}
