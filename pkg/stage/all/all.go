// Package all lists the stages, in the order of the guide. A new stage is one folder beside this one and one line here.
package all

import (
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/app"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/auth"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
)

// Stages returns them.
func Stages() []stage.Stage {
	return []stage.Stage{
		ingress.Stage(),
		tls.Stage(),
		auth.Stage(),
		s3.Stage(),
		vault.Stage(),
		app.Stage(),
	}
}
