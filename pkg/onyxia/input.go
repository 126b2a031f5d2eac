package onyxia

import (
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Input is all that the values follow from.
type Input struct {
	Platform     platform.Platform
	ChartVersion string
	// Auth, S3 and Vault tell which parts stand and work. A block of a part that is not ready is left out: a Vault or S3
	// block that is there and does not work leaves every user with a blank page.
	Auth, S3, Vault bool
	// Images override the chart's by role: "web", "api".
	Images map[string]string
	// CAConfigMap names the ConfigMap with the private authorities, in Onyxia's namespace, one certificate to a key (see
	// CAFiles); empty for none.
	CAConfigMap string
}

// check says what cannot be rendered, before any of it is.
func (in Input) check(schema Schema) error {
	p := in.Platform
	if (in.S3 || in.Vault) && !in.Auth {
		return errors.New("S3 and Vault are reached with a user's token: they need the auth stage")
	}
	if in.Auth && !p.HasAuth() || in.S3 && !p.HasS3() || in.Vault && !p.HasVault() {
		return fmt.Errorf("a part is to be used that the configuration has not: auth.mode is %s, s3.mode %s, vault.mode %s", p.Auth.Mode, p.S3.Mode, p.Vault.Mode)
	}
	var errs []error
	if in.Auth {
		errs = append(errs, in.checkAuth(schema), CheckTerms(in.ChartVersion, p.Auth.Terms), in.checkQuotas(schema))
	}
	if in.S3 {
		_, err := in.sessionSeconds()
		errs = append(errs, err, in.checkS3(schema))
	}
	return errors.Join(errs...)
}

// checkAuth: API v0.30 speaks to Keycloak by its adapter, and reads the claim "groups" by that name.
func (in Input) checkAuth(schema Schema) error {
	auth := in.Platform.Auth
	switch {
	case schema == Schema4 && auth.OtherIssuer():
		return fmt.Errorf("onyxia chart %s logs in at Keycloak only, and auth.mode is oidc: take profile current", in.ChartVersion)
	case schema == Schema4 && auth.GroupsClaim != "groups":
		return fmt.Errorf("onyxia chart %s reads groups from the claim \"groups\" only, and auth.groupsClaim is %q: take profile current", in.ChartVersion, auth.GroupsClaim)
	}
	return nil
}

func (in Input) checkS3(schema Schema) error {
	s3 := in.Platform.S3
	if s3.Mode == platform.S3External && s3.Kind == platform.S3KindCeph && schema == Schema4 {
		return fmt.Errorf("onyxia chart %s knows MinIO and Amazon, and s3.kind is ceph, whose STS asks for a role: take profile current", in.ChartVersion)
	}
	return nil
}

// sessionSeconds is how long S3 credentials live. The web would ask for seven days.
func (in Input) sessionSeconds() (int64, error) {
	s3, err := time.ParseDuration(in.Platform.S3.SessionDuration)
	if err != nil {
		return 0, fmt.Errorf("s3.sessionDuration: %w", err)
	}
	return int64(s3 / time.Second), nil
}
