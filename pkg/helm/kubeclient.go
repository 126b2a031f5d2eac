package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	helmkube "helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// kubeClient is Helm's client with what ours needs on top: it ends with a context, it deletes nothing that holds data
// behind an upgrade's back, it says why a hook failed, and it keeps the errors that Helm drops.
type kubeClient struct {
	*helmkube.Client
	ctx     context.Context
	getter  *getter
	helm    *Client
	release string
	// target is what the last manifest that is to be written was built to.
	target helmkube.ResourceList
	// failure is why this client refused or gave up; Helm keeps only its text.
	failure error
	// deleteErrs are what could not be deleted.
	deleteErrs []error
}

func newKubeClient(ctx context.Context, c *Client, release, namespace string) *kubeClient {
	g := c.getter(ctx, namespace)
	client := helmkube.New(g)
	client.Log = c.debug
	client.Namespace = namespace
	return &kubeClient{Client: client, ctx: ctx, getter: g, helm: c, release: release}
}

// IsReachable is asked before each action; by then the release was read from the same server.
func (k *kubeClient) IsReachable() error { return context.Cause(k.ctx) }

// Build reads a manifest. Helm asks for validation where the manifest is going to be written. It then checks against
// the server's whole OpenAPI description, which costs more memory than everything else of ours; the server's warnings
// say the same. Where the manifest is one of the past, kinds that the cluster no longer knows are left out: with the
// definition its objects have gone too.
func (k *kubeClient) Build(reader io.Reader, written bool) (helmkube.ResourceList, error) {
	list, err := k.Client.Build(reader, false)
	if written {
		k.target = list
		return list, err
	}
	return list, withoutNoMatch(err)
}

func withoutNoMatch(err error) error {
	if err == nil {
		return nil
	}
	return utilerrors.FilterOut(err, func(err error) bool {
		var kind *meta.NoKindMatchError
		var res *meta.NoResourceMatchError
		return errors.As(err, &kind) || errors.As(err, &res)
	})
}

// Update refuses an upgrade that would delete what holds data. Helm deletes what a new manifest no longer has.
func (k *kubeClient) Update(original, target helmkube.ResourceList, force bool) (*helmkube.Result, error) {
	if held := holdsData(k.liveObjects(original.Difference(target)), k.Namespace); len(held) > 0 {
		k.failure = &VolumeError{Release: k.release, Doing: "the upgrade", Objects: held}
		return &helmkube.Result{}, k.failure
	}
	return k.Client.Update(original, target, force)
}

// Create keeps why nobody answered: of the creation of a hook Helm keeps only the text.
func (k *kubeClient) Create(list helmkube.ResourceList) (*helmkube.Result, error) {
	result, err := k.Client.Create(list)
	if kube.Passing(err) {
		k.failure = err
	}
	return result, err
}

// liveObjects reads objects, because a person may have annotated them. Those that are gone are left out.
func (k *kubeClient) liveObjects(list helmkube.ResourceList) []object {
	var live []object
	for _, info := range list {
		want, ok := info.Object.(object)
		if !ok {
			continue
		}
		now, err := k.helm.Kube.Get(k.ctx, located(want, info))
		if err != nil {
			now = want
		}
		if now != nil {
			live = append(live, now)
		}
	}
	return live
}

// located is the name of an object, with the namespace that Helm found for it.
func located(u object, info *resource.Info) object {
	u = u.DeepCopy()
	u.SetNamespace(info.Namespace)
	return u
}

func (k *kubeClient) Delete(list helmkube.ResourceList) (*helmkube.Result, []error) {
	return k.DeleteWithPropagationPolicy(list, metav1.DeletePropagationBackground)
}

func (k *kubeClient) DeleteWithPropagationPolicy(list helmkube.ResourceList, policy metav1.DeletionPropagation) (*helmkube.Result, []error) {
	result, errs := k.Client.DeleteWithPropagationPolicy(list, policy)
	k.deleteErrs = append(k.deleteErrs, errs...)
	return result, errs
}

// WaitForDelete is called before a hook is made anew and after it was deleted.
func (k *kubeClient) WaitForDelete(list helmkube.ResourceList, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(k.ctx, timeout, fmt.Errorf("not gone after %s", timeout))
	defer cancel()
	for _, info := range list {
		want, ok := info.Object.(object)
		if !ok {
			continue
		}
		err := poll(ctx, func() (bool, error) {
			live, err := k.helm.Kube.Get(ctx, located(want, info))
			return live == nil, err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", label(want, k.Namespace), err)
		}
	}
	return nil
}

// pollInterval is how often something in the cluster is looked at while it changes.
const pollInterval = 500 * time.Millisecond

// poll looks until the function says yes, fails, or the context ends.
func poll(ctx context.Context, look func() (bool, error)) error {
	for {
		done, err := look()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}
