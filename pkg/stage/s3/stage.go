// Package s3 is the stage of the users' files: MinIO with a bucket for each user and each group, opened by the tokens that
// they already have, or the S3 server that is there.
package s3

import (
	"context"
	"errors"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Name of the stage.
const Name = "s3"

// Options are what a command brings along beyond onyxia.yaml.
type Options struct {
	// Say is told what the proof shows, one line at a time; nil for nobody. It may be called concurrently with the run's
	// other reports.
	Say func(string)
	// Prove runs the proof although it was run for this configuration before.
	Prove bool
	// UserToken is an access token of a user for client onyxia-minio, with which the proof is run at an issuer whose users are
	// not ours to make; empty for none.
	UserToken secret.Text
}

// Stage is the s3 stage.
func Stage() stage.Stage { return With(Options{}) }

// With is the s3 stage for a command that wants the proof. Its steps have the same names.
func With(o Options) stage.Stage {
	return stage.Stage{
		Name:  Name,
		Short: "MinIO, with a bucket for each user and each group, or the S3 that you already have",
		Verb:  "install",
		Steps: func(_ context.Context, env stage.Env) ([]engine.Step, error) { return steps(env, o) },
		// Onyxia shows files when it knows where they are.
		Rerenders: true,
		On:        []string{"ingress", "tls", "auth"},
	}
}

func steps(env stage.Env, o Options) ([]engine.Step, error) {
	p := env.Platform
	switch {
	case p.S3.Mode == platform.S3None:
		return nil, nil
	case !p.HasS3():
		env.Warn("no S3: buckets are opened by a user's token, and auth.mode is none; set s3.mode: none to say so yourself")
		return nil, nil
	case !env.Has("auth"):
		return nil, errors.New("buckets are opened by a token of the realm, and there is no login yet: put up stage auth first, or both at once with `kubectl onyxia up auth s3`")
	}
	s, err := newSite(env, o)
	if err != nil {
		return nil, err
	}
	var list []engine.Step
	if s.env.Platform.S3.InstallsMinIO() {
		if list, err = s.server(); err != nil {
			return nil, err
		}
	}
	realm := s.clients()
	inside, err := s.inside()
	if err != nil {
		return nil, err
	}
	list = slices.Concat(engine.Serving(list), realm, inside)
	list = append(list, engine.New(reachID, stage.Gate((&reachable{site: s}).trouble), s.beforeReach()...))
	needs := []engine.ID{reachID, stage.IssuerID, stage.NamespaceID(p.Namespace())}
	for _, step := range slices.Concat(realm, inside) {
		needs = append(needs, step.ID)
	}
	return append(list, engine.New(stage.S3ReadyID, newProof(s), needs...)), nil
}
