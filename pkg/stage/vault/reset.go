package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// resetTime bounds a reset: a pod ends, a volume goes, both are made anew.
const resetTime = 5 * time.Minute

// Reset throws away a Vault of ours whose keys never reached anybody, volumes and pods, and waits until a new one answers.
// It refuses one that may hold something; that the stage was recorded once is a sign of that.
func Reset(ctx context.Context, env stage.Env, o Options, lost *vault.LostError) error {
	s, err := newSite(ctx, env, o)
	if err != nil {
		return err
	}
	if s.external() || s.release.Dev || s.keys == nil {
		return errors.New("only a vault that was installed here is reset, and only one whose key file was begun")
	}
	if err := s.empty(ctx, lost); err != nil {
		return fmt.Errorf("vault is not reset: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, resetTime)
	defer cancel()
	for i, server := range s.servers() {
		if err := s.renew(ctx, server, s.claims()[i]); err != nil {
			return fmt.Errorf("reset of %s: %w", server, err)
		}
	}
	return s.awaitNew(ctx)
}

// empty looks for any sign that somebody could have put something into the Vault, or that its keys are somewhere after all.
func (s *site) empty(ctx context.Context, lost *vault.LostError) error {
	document, err := s.keys.document(ctx)
	if err != nil {
		return err
	}
	if err := s.keys.fits(ctx, document, vault.Seal{}); err != nil && !errors.Is(err, vault.ErrUnnamed) {
		return err
	}
	if s.env.Standing[Name] {
		return fmt.Errorf("it was configured once and may hold secrets: %w", lost)
	}
	shown, err := stage.NewProofNote(s.env, Name).Read(ctx)
	if err != nil {
		return err
	}
	if shown.Digest != "" {
		return fmt.Errorf("it was configured and shown to work at %s, so its users may have put secrets into it", shown.At)
	}
	there, err := s.elsewhere(ctx)
	switch {
	case err != nil:
		return err
	case there:
		return errors.New("another server of the cluster has keys, and what was kept under them: only the first has lost its volume, and vault unseal brings it back to the others")
	case lost.Half:
		return nil
	}
	seal, err := s.reached[0].SealStatus(ctx)
	switch {
	case err != nil:
		return err
	case !seal.Sealed:
		return errors.New("it is open, so somebody has its keys")
	case document.State != vault.KeysPending:
		return fmt.Errorf("%s holds its keys", s.keys.keeper)
	case seal.Shares != document.Shares || seal.Threshold != document.Threshold:
		return fmt.Errorf("it has %d key shares of which %d open it, and %s was begun for %d and %d: somebody else initialised it",
			seal.Shares, seal.Threshold, s.keys.keeper, document.Shares, document.Threshold)
	}
	_, found, err := s.spool().Collect(ctx)
	switch {
	case found:
		return fmt.Errorf("an answer with keys lies on %s: run init again, with the key file that it was begun with", s.spool())
	case errors.Is(err, vault.ErrDamaged):
		return nil
	}
	return err
}

// renew deletes a server's volume and its pod. The claim is only gone once no pod uses it, and a pod that was made anew
// before that waits for a claim that nobody makes, so it is deleted once more.
func (s *site) renew(ctx context.Context, server, claim string) error {
	pods := s.env.Kube.Clientset.CoreV1().Pods(s.namespace())
	old, err := s.drop(ctx, claim)
	if err != nil {
		return err
	}
	if err := pods.Delete(ctx, server, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return kube.Explain(err)
	}
	if err := s.awaitGone(ctx, claim, old); err != nil {
		return err
	}
	pod, err := pods.Get(ctx, server, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && pod.Status.Phase != corev1.PodPending {
		return nil
	}
	if err == nil {
		err = pods.Delete(ctx, server, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return kube.Explain(err)
}

// drop deletes a claim and says which one that was.
func (s *site) drop(ctx context.Context, name string) (types.UID, error) {
	claims := s.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(s.namespace())
	old, err := claims.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		err = claims.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &old.UID}})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return "", kube.Explain(err)
	}
	return old.UID, nil
}

func (s *site) awaitGone(ctx context.Context, claim string, old types.UID) error {
	return every(ctx, func() (bool, string, error) {
		now, err := s.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(s.namespace()).Get(ctx, claim, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != old {
			return true, "", nil
		}
		return false, "volume " + claim + " is still there", kube.Explain(err)
	})
}

// awaitNew waits until the first server answers that it has no keys.
func (s *site) awaitNew(ctx context.Context) error {
	return every(ctx, func() (bool, string, error) {
		seal, err := s.reached[0].SealStatus(ctx)
		if err != nil {
			// The pod is on its way.
			return false, err.Error(), nil
		}
		return !seal.Initialised, "it still has its old keys", nil
	})
}

// every asks once a second until it is so.
func every(ctx context.Context, ask func() (done bool, reason string, err error)) error {
	for {
		done, reason, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; run it again", reason, context.Cause(ctx))
		case <-time.After(time.Second):
		}
	}
}
