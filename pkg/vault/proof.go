package vault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Proof shows that Vault keeps what it promises: a user logs in with a token of the realm, writes, reads and lists in
// the folder of their own, is refused at a neighbour's and at the parent, and reaches exactly the groups they are in.
// What it wrote is removed on every way out, Ctrl-C included.
type Proof struct {
	// Client asks without a token, by the address that users have.
	Client *Client
	// Operator, if set, removes what was written and the identities that the logins leave; without it the users themselves
	// remove what they wrote.
	Operator *Client
	// Mount, Role and KV are the names inside Vault.
	Mount, Role, KV string
	// UserPrefix and GroupPrefix of the folders.
	UserPrefix, GroupPrefix string
	// User and Neighbour are two users of the realm, made for this, and Group and OtherGroup two groups; their names begin
	// with ProofPrefix and are always the same, so that a run cleans up after one that was killed. User is in Group and
	// not in OtherGroup; Neighbour is in no group at all. An empty Group is not tried.
	User, Neighbour   ProofUser
	Group, OtherGroup string
	// Origin of Onyxia's web.
	Origin string
}

// ProofUser is a user with a token of the realm.
type ProofUser struct {
	Name string
	JWT  Secret
}

// proofKey is the name of the secret that is written; nobody else uses it.
const proofKey = "kubectl-onyxia-proof"

// cleanTime is how long the cleaning up may take after an interruption.
const cleanTime = 15 * time.Second

// proofLogin is what a login leaves.
type proofLogin struct {
	client *Client
	entity string
}

// Run carries out the proof and tells each line that holds. The first that does not is the error.
func (p Proof) Run(ctx context.Context, report func(string)) (err error) {
	if err := preflights(ctx, p.Client, p.Mount, p.secret("data", p.UserPrefix+p.User.Name), p.Origin, report); err != nil {
		return err
	}
	var logins []proofLogin
	defer func() {
		if len(logins) == 0 {
			return
		}
		// The run's own context may have ended.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		err = errors.Join(err, p.clean(clean, logins))
	}()
	user, err := p.login(ctx, p.User)
	if err != nil {
		return err
	}
	logins = append(logins, user)
	say(report, fmt.Sprintf("%s logs in with a token of the realm", p.User.Name))
	neighbour, err := p.login(ctx, p.Neighbour)
	if err != nil {
		return fmt.Errorf("a user of no group: %w", err)
	}
	logins = append(logins, neighbour)
	say(report, fmt.Sprintf("%s, who is in no group, logs in as well", p.Neighbour.Name))
	return p.folders(ctx, user.client, neighbour.client, report)
}

func (p Proof) login(ctx context.Context, u ProofUser) (proofLogin, error) {
	var answer struct {
		Auth struct {
			Token  string `json:"client_token"`
			Entity string `json:"entity_id"`
		} `json:"auth"`
	}
	in := map[string]string{"role": p.Role, "jwt": u.JWT.Reveal()}
	if err := p.Client.WithToken(Secret{}).Write(ctx, "auth/"+p.Mount+"/login", in, &answer); err != nil {
		return proofLogin{}, fmt.Errorf("login of %s: %w%s", u.Name, err, loginAdvice(err))
	}
	return proofLogin{client: p.Client.WithToken(NewSecret(answer.Auth.Token)), entity: answer.Auth.Entity}, nil
}

// loginAdvice knows the messages of vault-plugin-auth-jwt 0.16.0.
func loginAdvice(err error) string {
	var refused *APIError
	if !errors.As(err, &refused) {
		return ""
	}
	for text, advice := range map[string]string{
		"invalid audience":                  "; the client needs an audience mapper with Vault's client",
		"token is expired":                  "; its lifetime is over, or the clocks of the realm and of Vault differ",
		"issued in the future":              "; the clocks of the realm and of Vault differ",
		"invalid issuer":                    "; the token is of another realm than the one configured",
		"failed to verify":                  "; the token is of another realm, or the realm's keys were changed and Vault cannot fetch the new ones",
		"could not be found":                "; run kubectl onyxia vault configure",
		"could not load configuration":      "; run kubectl onyxia vault configure",
		"error configuring token validator": "; Vault cannot reach the issuer, or does not trust its certificate",
	} {
		if refused.Says(text) {
			return advice
		}
	}
	return ""
}

// folders tries every folder.
func (p Proof) folders(ctx context.Context, user, neighbour *Client, report func(string)) error {
	own := p.UserPrefix + p.User.Name
	if err := p.may(ctx, user, own); err != nil {
		return err
	}
	say(report, fmt.Sprintf("%s writes, reads and lists %s/%s/", p.User.Name, p.KV, own))
	if err := p.mayNot(ctx, neighbour, own); err != nil {
		return err
	}
	if err := p.mayNot(ctx, user, p.UserPrefix+p.Neighbour.Name); err != nil {
		return err
	}
	say(report, "neither reaches the other's folder")
	if err := refused(user.List(ctx, p.KV+"/metadata/")); err != nil {
		return fmt.Errorf("list of %s: %w", p.KV, err)
	}
	say(report, fmt.Sprintf("the list of %s/ is refused", p.KV))
	if p.Group == "" {
		return nil
	}
	shared := p.GroupPrefix + p.Group
	if err := p.may(ctx, user, shared); err != nil {
		return err
	}
	if err := p.mayNot(ctx, neighbour, shared); err != nil {
		return err
	}
	if err := p.mayNot(ctx, user, p.GroupPrefix+p.OtherGroup); err != nil {
		return err
	}
	say(report, fmt.Sprintf("%s/%s/ is open to its members and to nobody else", p.KV, shared))
	return nil
}

func (p Proof) secret(kind, folder string) string {
	return p.KV + "/" + kind + "/" + folder + "/" + proofKey
}

// may writes, reads back and lists.
func (p Proof) may(ctx context.Context, c *Client, folder string) error {
	value := "written at " + time.Now().UTC().Format(time.RFC3339Nano)
	if err := c.Write(ctx, p.secret("data", folder), map[string]any{"data": map[string]string{"proof": value}}, nil); err != nil {
		return fmt.Errorf("write to the folder %s: %w", folder, err)
	}
	var read struct {
		Data struct {
			Data map[string]string `json:"data"`
		} `json:"data"`
	}
	if err := c.Read(ctx, p.secret("data", folder), &read); err != nil {
		return fmt.Errorf("read from the folder %s: %w", folder, err)
	}
	if read.Data.Data["proof"] != value {
		return fmt.Errorf("the folder %s gave back something else than was written to it; is another Vault behind the address?", folder)
	}
	keys, err := c.List(ctx, p.KV+"/metadata/"+folder)
	if err != nil {
		return fmt.Errorf("list of the folder %s: %w", folder, err)
	}
	for _, key := range keys {
		if key == proofKey {
			return nil
		}
	}
	return fmt.Errorf("the list of the folder %s lacks what was written to it", folder)
}

// mayNot tries to read, to list and to write, each of which has to be refused.
func (p Proof) mayNot(ctx context.Context, c *Client, folder string) error {
	for what, err := range map[string]error{
		"read":  c.Read(ctx, p.secret("data", folder), nil),
		"list":  c.Read(ctx, p.KV+"/metadata/"+folder+"?list=true", nil),
		"write": c.Write(ctx, p.secret("data", folder), map[string]any{"data": map[string]string{"proof": "never"}}, nil),
	} {
		if err := refused(nil, err); err != nil {
			return fmt.Errorf("%s of the folder %s by somebody else: %w", what, folder, err)
		}
	}
	return nil
}

// refused is nil if the answer was "permission denied".
func refused(_ []string, err error) error {
	if errors.Is(err, ErrPermissionDenied) {
		return nil
	}
	if err == nil {
		err = errors.New("it was allowed")
	}
	return fmt.Errorf("should have been refused: %w; look at the policy, and at what else these users' tokens may", err)
}

// clean removes what was written, the tokens, and the identities. What is not there is no error.
func (p Proof) clean(ctx context.Context, logins []proofLogin) error {
	remover := p.Operator
	if remover == nil {
		remover = logins[0].client
	}
	folders := []string{p.UserPrefix + p.User.Name}
	if p.Group != "" {
		folders = append(folders, p.GroupPrefix+p.Group)
	}
	if p.Operator != nil {
		folders = append(folders, p.UserPrefix+p.Neighbour.Name, p.GroupPrefix+p.OtherGroup)
	}
	var errs []error
	for _, folder := range folders {
		if err := remover.Delete(ctx, p.secret("metadata", folder)); err != nil {
			errs = append(errs, fmt.Errorf("clean the folder %s: %w", folder, err))
		}
	}
	for _, login := range logins {
		errs = append(errs, login.client.RevokeSelf(ctx))
		if p.Operator != nil && login.entity != "" {
			errs = append(errs, p.Operator.Delete(ctx, "identity/entity/id/"+login.entity))
		}
	}
	return errors.Join(errs...)
}
