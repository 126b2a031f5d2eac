// Package stage says what a stage is: a name, a verb, and the steps it makes out of the wanted platform. The stages
// themselves stand in the folders below, one each; none imports another.
package stage

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// Env is what a stage makes its steps from.
type Env struct {
	Platform platform.Platform
	Profile  profile.Profile
	Kube     *kube.Client
	Helm     *helm.Client
	// Present are the stages of this datalab: those recorded in the cluster and those of this run.
	Present map[string]bool
	// Standing are those recorded in the cluster, from before this run.
	Standing map[string]bool
	// Keycloak is the connection to the realm; nil without auth.
	Keycloak *Keycloak
	// Links are the outputs that stages share.
	Links Links
	// Warn tells the admin something that stops nothing: one line, on stderr.
	Warn func(string)
}

// Stage is one section of the guide.
type Stage struct {
	Name string
	// Short is the help text, one line.
	Short string
	// Verb is the subcommand that applies it: "install", or "issue" for tls.
	Verb string
	// Rerenders says that Onyxia's own configuration depends on this stage.
	Rerenders bool
	// On names the stages that this one cannot stand without.
	On []string
	// Steps makes the steps. It may read the cluster to choose between them; it writes nothing.
	Steps func(ctx context.Context, env Env) ([]engine.Step, error)
	// Doubts are asked for once in a run that may write, because they cost more than a look: a login as an administrator, and a
	// note when that was refused. So neither diff nor a dry run asks. A stage that stands is asked before anything is written,
	// one that is only put up by the run after that. One line each with its fix; nil for a stage without.
	Doubts func(ctx context.Context, env Env) ([]string, error)
}
