package stages

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
)

func listGroups(o *cli.Options) *cobra.Command {
	every := func(ctx context.Context, r *keycloak.Realm) ([]string, error) { return r.Groups(ctx) }
	return list(o, "group", "groups", every, func(path string) string { return path })
}

func setGroups(o *cli.Options) *cobra.Command {
	none := false
	cmd := &cobra.Command{
		Use:     "set NAME [GROUP...]",
		Short:   "Make a user a member of exactly these groups",
		Example: "  " + o.Command + " auth group set ana statistics health\n  " + o.Command + " auth group set ana --none",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return cli.Usagef("name the user, then the groups")
			case len(args) == 1 && !none:
				return cli.Usagef("name the groups, or give --none to end every membership of %s", args[0])
			case len(args) > 1 && none:
				return cli.Usagef("--none and groups exclude each other")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				if err := r.SetGroups(ctx, args[0], args[1:]); err != nil {
					return unlisted(err)
				}
				_, err := fmt.Fprintf(o.Out, "user.keycloak/%s configured\n", args[0])
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&none, "none", false, "End every membership of the user")
	return cmd
}
