package platform

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Validate checks a configuration whose defaults are filled in. All that is wrong is said at once.
func Validate(c Config) error {
	return errors.Join(
		checkDomain(c.Domain),
		checkLabels(c),
		checkPrefixes(c.Prefixes),
		checkEnums(reflect.ValueOf(c), ""),
		checkQuantities(c),
		checkDurations(c),
		checkExternal(c),
		checkS3(c),
		checkEAB(c.TLS.ACME.EAB),
		checkAuth(c),
		checkSecretNames(c),
		checkParts(c),
		checkDatabase(c.Auth),
		checkMail(c.Auth.SMTP),
		checkQuotas(c.App.Quota),
		checkVaultPaths(c.Vault),
	)
}

// checkDomain wants a DNS name of at least two labels (RFC 1123), short enough for the longest host below it.
func checkDomain(domain string) error {
	const longest = 253 - len("minio-console.lab.")
	switch problems := validation.IsDNS1123Subdomain(domain); {
	case domain == "":
		return ErrNoDomain
	case strings.Contains(domain, "://"):
		return fmt.Errorf("domain %q is an address: give the name alone, without %q", domain, "https://")
	case strings.HasPrefix(domain, "*."):
		return fmt.Errorf("domain %q: give the parent alone, without %q", domain, "*.")
	case len(problems) > 0:
		return fmt.Errorf("domain %q is not a DNS name: lower case letters, digits, dashes and dots", domain)
	case !strings.Contains(domain, "."):
		return fmt.Errorf("domain %q has one label: a name that you own is expected, such as example.org", domain)
	case len(domain) > longest:
		return fmt.Errorf("domain %q is longer than %d characters: the hosts below it would not fit", domain, longest)
	}
	return nil
}

func checkLabels(c Config) error {
	var errs []error
	labels := map[string]string{
		"hosts.onyxia": c.Hosts.Onyxia, "hosts.lab": c.Hosts.Lab, "app.namespace": c.App.Namespace,
		"auth.namespace": c.Auth.Namespace, "s3.namespace": c.S3.Namespace, "vault.namespace": c.Vault.Namespace,
	}
	for _, key := range sortedKeys(labels) {
		label := labels[key]
		if len(validation.IsDNS1123Label(label)) > 0 {
			errs = append(errs, fmt.Errorf("%s: %q is not a DNS label: lower case letters, digits and dashes", key, label))
		}
	}
	if c.Hosts.Onyxia == c.Hosts.Lab {
		errs = append(errs, errors.New("hosts.onyxia and hosts.lab are the same"))
	}
	return errors.Join(errs...)
}

// checkPrefixes: a prefix begins namespaces and buckets, so prefix and any name must make a label together.
func checkPrefixes(p Prefixes) error {
	var errs []error
	prefixes := map[string]string{"prefixes.user": p.User, "prefixes.group": p.Group}
	for _, key := range sortedKeys(prefixes) {
		prefix := prefixes[key]
		if len(validation.IsDNS1123Label(prefix+"a")) > 0 || len(prefix) > 30 {
			errs = append(errs, fmt.Errorf("%s: %q cannot begin a namespace", key, prefix))
		}
	}
	if strings.HasPrefix(p.User, p.Group) || strings.HasPrefix(p.Group, p.User) {
		errs = append(errs, errors.New("prefixes.user and prefixes.group: one begins with the other, so a user could be named like a group"))
	}
	return errors.Join(errs...)
}

// checkEnums holds every key with a list of values against it.
func checkEnums(v reflect.Value, path string) error {
	var errs []error
	known := keys(v.Type())
	for _, key := range sortedKeys(known) {
		field := known[key]
		value := v.FieldByIndex(field.Index)
		allowed := strings.Split(field.Tag.Get("enum"), ",")
		switch {
		case value.Kind() == reflect.Struct:
			errs = append(errs, checkEnums(value, path+key+"."))
		case allowed[0] != "" && value.String() != "" && !slices.Contains(allowed, value.String()):
			errs = append(errs, fmt.Errorf("%s: %q is not one of %s", path+key, value, strings.Join(allowed, ", ")))
		}
	}
	return errors.Join(errs...)
}

func checkQuantities(c Config) error {
	var errs []error
	sizes := map[string]string{"auth.database.size": c.Auth.Database.Size, "s3.size": c.S3.Size, "s3.quota": c.S3.Quota, "vault.size": c.Vault.Size}
	for _, key := range sortedKeys(sizes) {
		size := sizes[key]
		if _, err := resource.ParseQuantity(size); size != "" && err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is not a quantity such as 50Gi", key, size))
		}
	}
	return errors.Join(errs...)
}

func checkDurations(c Config) error {
	var errs []error
	durations := map[string]string{"auth.session": c.Auth.Session, "auth.lifespans.rememberMe": c.Auth.Lifespans.RememberMe, "s3.sessionDuration": c.S3.SessionDuration}
	if c.Auth.Lifespans.AccessToken != "" {
		durations["auth.lifespans.accessToken"] = c.Auth.Lifespans.AccessToken
	}
	for _, key := range sortedKeys(durations) {
		d := durations[key]
		if parsed, err := time.ParseDuration(d); err != nil || parsed <= 0 {
			errs = append(errs, fmt.Errorf("%s: %q is not a duration such as 24h", key, d))
		}
	}
	return errors.Join(errs...)
}

// checkExternal: what is brought along needs an address.
func checkExternal(c Config) error {
	var errs []error
	need := func(key, value, because string) {
		if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "https" && !loopback(u.Hostname()) {
			errs = append(errs, fmt.Errorf("%s: an https:// address is needed, because %s", key, because))
		}
	}
	if c.Auth.Mode == AuthKeycloak || c.Auth.OtherIssuer() {
		need("auth.url", c.Auth.URL, "auth.mode is "+c.Auth.Mode)
	}
	if c.Auth.Mode == AuthKeycloak && c.Auth.CredentialsSecret == "" {
		errs = append(errs, errors.New("auth.credentialsSecret: an existing Keycloak needs the namespace/name of a Secret with an administrator"))
	}
	if c.S3.Mode == S3External {
		need("s3.url", c.S3.URL, "s3.mode is external")
	}
	if c.Vault.External() {
		need("vault.url", c.Vault.URL, "vault.mode is external")
	}
	if c.Vault.Replicas != 1 && c.Vault.Replicas != 3 {
		errs = append(errs, fmt.Errorf("vault.replicas: %d: raft wants 1 or 3", c.Vault.Replicas))
	}
	return errors.Join(errs...)
}

// loopback tells an address on this machine, the only one to which passwords and tokens may go without TLS.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkEAB: a key without its identifier binds nothing.
func checkEAB(b EAB) error {
	if b.HMACSecret == "" {
		return nil
	}
	var errs []error
	if b.Kid == "" {
		errs = append(errs, errors.New("tls.acme.eab.kid: the key identifier is needed, because tls.acme.eab.hmacSecret is set"))
	}
	return errors.Join(errs...)
}

// checkDatabase: what is brought along needs an address and a login.
func checkDatabase(a Auth) error {
	db := a.Database
	var errs []error
	if db.Mode == DatabaseExternal && a.InstallsKeycloak() {
		if db.Host == "" {
			errs = append(errs, errors.New("auth.database.host: the server's name is needed, because auth.database.mode is external"))
		}
		if db.CredentialsSecret == "" {
			errs = append(errs, fmt.Errorf("auth.database.credentialsSecret: the name of a Secret in namespace %s with username and password is needed, because auth.database.mode is external", a.Namespace))
		}
	}
	if db.Instances < 1 {
		errs = append(errs, fmt.Errorf("auth.database.instances: %d: at least 1", db.Instances))
	}
	return errors.Join(errs...)
}
