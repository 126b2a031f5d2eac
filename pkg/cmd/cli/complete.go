package cli

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// completionTime bounds what a shell waits for when it completes a word that the cluster knows.
const completionTime = 3 * time.Second

// complete registers the words that a flag takes.
func complete(cmd *cobra.Command, flag string, words func() []string) {
	completeWith(cmd, flag, func(context.Context) []string { return words() })
}

// completeWith registers words that have to be asked for. Nothing is completed where the asking fails: a shell has no place
// for errors.
func completeWith(cmd *cobra.Command, flag string, words func(context.Context) []string) {
	// It refuses flags that are not there, and nothing else; completion.txtar asks for each.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completionTime)
		defer cancel()
		return words(ctx), cobra.ShellCompDirectiveNoFileComp
	})
}

// contexts are those of the kubeconfig.
func (o *Options) contexts() []string {
	raw, err := o.Kube.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// namespaces are those of the cluster.
func (o *Options) namespaces(ctx context.Context) []string {
	client, err := kube.Connect(o.Kube)
	if err != nil {
		return nil
	}
	list, err := client.Clientset.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(list.Items))
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}

// holders are the steps of the named stages that hold data which is there; no names mean all stages.
func (r *Remove) holders(ctx context.Context) []string {
	inst, err := r.OpenToRead(ctx)
	if err != nil {
		return nil
	}
	names := r.Names
	if len(names) == 0 {
		names = StageNames(r.Stages)
	}
	removal, err := inst.Removal(ctx, nil, names, nil)
	if err != nil {
		return nil
	}
	var ids []string
	for _, line := range removal.Plan.Steps {
		if line.Data != "" && line.Change.Action == engine.Kept {
			ids = append(ids, string(line.ID))
		}
	}
	return ids
}

// adoptable are the steps whose things another party made.
func (a *Apply) adoptable(ctx context.Context) []string {
	inst, err := a.OpenToRead(ctx)
	if err != nil {
		return nil
	}
	names := a.Names
	if len(names) == 0 {
		names = StageNames(a.Stages)
	}
	run, err := inst.Run(ctx, nil, names...)
	if err != nil {
		return nil
	}
	plan, err := run.Plan(ctx)
	if err != nil {
		return nil
	}
	var ids []string
	for _, line := range plan.Steps {
		if line.Change.Adopts != nil {
			ids = append(ids, string(line.ID))
		}
	}
	return ids
}

// providers can answer the ACME challenge.
func providers() []string { return acme.Providers() }

// profiles are the catalogues of this program.
func profiles() []string {
	names, err := profile.Names()
	if err != nil {
		return nil
	}
	return names
}
