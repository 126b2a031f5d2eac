package auth

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// login is a Secret that the admin brings along. It is read, never written, and what is wrong with it stops the run before
// anything else is written.
type login struct {
	env stage.Env
	// option is the key of onyxia.yaml that names it.
	option          string
	namespace, name string
	keys            []string
	// others are keys that will do instead.
	others []string
	// doubt looks at a password; nil for no such look.
	doubt func(password string) string
	// database says that it is the login at a database.
	database bool
	// needless tells whether the Secret is not needed any more; nil for one that always is.
	needless func(context.Context) bool
	// doubted says that this run has told its doubts.
	doubted bool
}

// loginSeen is what is wrong; empty for nothing.
type loginSeen struct{ Why, Fix string }

// databaseLogin is the login at a database of the admin's own.
func databaseLogin(env stage.Env) *login {
	return &login{
		env: env, option: "auth.database.credentialsSecret", namespace: env.Platform.Auth.Namespace,
		name: env.Platform.Auth.Database.CredentialsSecret, keys: []string{usernameKey, passwordKey}, database: true,
	}
}

// administratorLogin is the login at an existing Keycloak. Once the service account stands nobody needs it.
func administratorLogin(env stage.Env) *login {
	namespace, name, ok := strings.Cut(env.Platform.Auth.CredentialsSecret, "/")
	if env.Platform.Auth.Mode != platform.AuthKeycloak || !ok {
		return nil
	}
	return &login{
		env: env, option: "auth.credentialsSecret", namespace: namespace, name: name,
		keys: []string{usernameKey, passwordKey}, others: []string{"clientId", "clientSecret"},
		needless: func(ctx context.Context) bool { return env.Keycloak.Own.Login(ctx) == nil },
	}
}

// mailLogin is the login at the mail server; nil without one.
func mailLogin(env stage.Env) *login {
	s := env.Platform.Auth.SMTP
	namespace, name, ok := strings.Cut(s.PasswordSecret, "/")
	if s.Host == "" || s.Username == "" || !ok {
		return nil
	}
	return &login{
		env: env, option: "auth.smtp.passwordSecret", namespace: namespace, name: name, keys: []string{passwordKey},
		doubt: func(password string) string { return passwordDoubt(s, password) },
	}
}

// logins makes the steps of the Secrets that the configuration names. They come before all others.
func logins(env stage.Env) []engine.Step {
	var list []engine.Step
	if p := env.Platform; p.Auth.InstallsKeycloak() && p.Auth.Database.Mode == platform.DatabaseExternal {
		list = engine.Serving([]engine.Step{engine.New(engine.ID("login.database/"+p.Auth.Database.CredentialsSecret), databaseLogin(env))})
	}
	if administrator := administratorLogin(env); administrator != nil {
		list = append(list, engine.New(engine.ID("login.administrator/"+administrator.name), administrator))
	}
	if mail := mailLogin(env); mail != nil {
		list = append(list, engine.New(engine.ID("login.smtp/"+mail.name), mail))
	}
	return list
}

// Observe reads the Secret; its values go no further than the doubts.
func (l *login) Observe(ctx context.Context) (loginSeen, error) {
	seen, err := l.look(ctx)
	if err == nil && seen.Why != "" && l.needless != nil && l.needless(ctx) {
		return loginSeen{}, nil
	}
	return seen, err
}

func (l *login) look(ctx context.Context) (loginSeen, error) {
	secret, err := l.env.Kube.Clientset.CoreV1().Secrets(l.namespace).Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return loginSeen{Why: fmt.Sprintf("%s names secret %s/%s, which is not there", l.option, l.namespace, l.name), Fix: l.recipe(ctx)}, nil
	}
	if err != nil {
		return loginSeen{}, fmt.Errorf("%s: %w", l.option, kube.Explain(err))
	}
	missing := lacks(secret.Data, l.keys)
	if len(missing) > 0 && (len(l.others) == 0 || len(lacks(secret.Data, l.others)) > 0) {
		return loginSeen{
			Why: fmt.Sprintf("secret %s/%s, which %s names, has no %s", l.namespace, l.name, l.option, strings.Join(missing, " and no ")),
			Fix: "add what is missing (`kubectl -n " + l.namespace + " edit secret " + l.name + "`), or make it anew: " + l.recipe(ctx),
		}, nil
	}
	if err := l.former(ctx); err != nil {
		return loginSeen{}, err
	}
	l.tell(secret.Data)
	return loginSeen{}, nil
}

// lacks lists the keys without a value.
func lacks(data map[string][]byte, keys []string) (missing []string) {
	for _, key := range keys {
		if len(data[key]) == 0 {
			missing = append(missing, key)
		}
	}
	return missing
}

// former tells of a database of ours that is still there. Whether its users have been moved cannot be seen, and nothing is
// lost by trying: its volume stays.
func (l *login) former(ctx context.Context) error {
	if l.doubted || !l.database {
		return nil
	}
	_, err := l.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(l.namespace).Get(ctx, databaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the volume of a former database: %w", kube.Explain(err))
	}
	l.env.Warn(fmt.Sprintf("the users of the database that was installed here are in volume %s/%s: unless %s has them already (pg_dump), nobody can log in; auth.database.mode: install goes back, and this is said until the volume is deleted",
		l.namespace, databaseName, l.env.Platform.Auth.Database.Host))
	return nil
}

// tell warns of what looks wrong, once in a run.
func (l *login) tell(data map[string][]byte) {
	if l.doubted {
		return
	}
	l.doubted = true
	for _, key := range l.keys {
		if strings.HasSuffix(string(data[key]), "\n") {
			l.env.Warn(fmt.Sprintf("%s: %s in secret %s/%s ends with a line break, which counts as part of it: make the Secret from a file without one", l.option, key, l.namespace, l.name))
		}
	}
	if l.doubt == nil {
		return
	}
	if why := l.doubt(strings.TrimSuffix(string(data[passwordKey]), "\n")); why != "" {
		l.env.Warn(why)
	}
}

// recipe makes the Secret without a password in a command's arguments, which the shell's history keeps.
func (l *login) recipe(ctx context.Context) string {
	var lines []string
	for _, key := range l.keys {
		lines = append(lines, key+"=...")
	}
	recipe := fmt.Sprintf("write %s into a file and run `kubectl -n %s create secret generic %s --from-env-file=FILE`", strings.Join(lines, " and ")+" on a line each", l.namespace, l.name)
	if len(lines) == 1 {
		recipe = strings.Replace(recipe, " on a line each", "", 1)
	}
	if _, err := l.env.Kube.Clientset.CoreV1().Namespaces().Get(ctx, l.namespace, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		recipe += ", after `kubectl create namespace " + l.namespace + "`"
	}
	return recipe
}

// Plan stops as long as something is wrong.
func (l *login) Plan(seen loginSeen) engine.Change {
	if seen.Why != "" {
		return engine.Change{Action: engine.Blocked, Why: seen.Why, Fix: seen.Fix}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (l *login) Apply(context.Context, loginSeen) error { return nil }

func databaseHost(p platform.Platform) string {
	host := databaseName
	switch p.Auth.Database.Mode {
	case platform.DatabaseExternal:
		return p.Auth.Database.Host
	case platform.DatabaseCloudNativePG:
		// The Service of the operator's that leads to the primary.
		host += "-rw"
	}
	return host + "." + p.Auth.Namespace + ".svc"
}

// databasePort: the key is about a server of the admin's; ours and the operator's listen where PostgreSQL does.
func databasePort(p platform.Platform) int {
	if p.Auth.Database.Mode == platform.DatabaseExternal {
		return p.Auth.Database.Port
	}
	return postgresPort
}

func databaseSecret(p platform.Platform) string {
	switch p.Auth.Database.Mode {
	case platform.DatabaseExternal:
		return p.Auth.Database.CredentialsSecret
	case platform.DatabaseCloudNativePG:
		return ownerSecret
	}
	return databaseName
}
