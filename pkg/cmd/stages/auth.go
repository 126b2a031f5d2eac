package stages

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/auth"
)

// configureRealm is `auth configure`: what is inside Keycloak, and Onyxia's own configuration, but not the server.
func configureRealm(o *cli.Options) *cobra.Command {
	a := &cli.Apply{Options: o, Names: []string{"auth"}, Only: engine.Inside("auth")}
	cmd := &cobra.Command{
		Use:     "configure",
		Short:   "Make the realm, its clients and rules as wanted; the server is left alone",
		Example: "  " + o.Command + " auth configure",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := a.Run(cmd.Context())
			if err != nil || inst == nil || inst.Platform.Auth.Mode == "none" {
				return err
			}
			for i, line := range auth.ByHand(inst.Platform) {
				if i == 0 {
					fmt.Fprintf(o.Out, "By hand, at %s:\n", inst.Platform.Issuer())
				}
				fmt.Fprintln(o.Out, "  "+line)
			}
			if inst.Platform.Auth.Mode == "oidc" {
				return nil
			}
			return doubtAdministrators(cmd.Context(), o, inst.Env("auth").Keycloak)
		},
	}
	a.AddApplyFlags(cmd)
	return cmd
}

// doubtAdministrators tells which administrators of the server need not be there. It logs in as one, so it is asked for here and
// not in every plan.
func doubtAdministrators(ctx context.Context, o *cli.Options, k *stage.Keycloak) error {
	doubts, err := k.Account.Doubts(ctx, k.Own)
	for _, doubt := range doubts {
		o.Warn(doubt)
	}
	return err
}

// people is `auth user`.
func people(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, list and remove users of the realm",
		Args:  cli.NoSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(addUser(o), listUsers(o), removeUser(o))
	return cmd
}

func addUser(o *cli.Options) *cobra.Command {
	var u keycloak.NewUser
	cmd := &cobra.Command{
		Use:        "add NAME --email ADDRESS",
		Short:      "Add a user; the temporary password is shown once, on stdout",
		SuggestFor: []string{"create"},
		Example:    "  " + o.Command + " auth user add ana --email ana@example.org --group statistics",
		Args:       one("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			u.Name = args[0]
			if u.Email == "" {
				return cli.Usagef("--email is needed: Keycloak asks for it at the first login otherwise")
			}
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				password, err := r.AddUser(ctx, u)
				if password == "" || err != nil {
					return err
				}
				fmt.Fprintf(o.ErrOut, "user %s added; the temporary password, to be changed at the first login:\n", u.Name)
				_, err = fmt.Fprintln(o.Out, password)
				return err
			})
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&u.Email, "email", "", "E-mail address (needed)")
	fs.StringVar(&u.FirstName, "first-name", "", "First name; asked for at the first login when left out")
	fs.StringVar(&u.LastName, "last-name", "", "Last name; asked for at the first login when left out")
	fs.StringSliceVar(&u.Groups, "group", nil, "Group to join; may be given several times")
	fs.BoolVar(&u.EmailVerified, "email-verified", false, "Take the address as checked")
	return cmd
}

func listUsers(o *cli.Options) *cobra.Command {
	var format cli.Format
	cmd := &cobra.Command{
		Use:        "list",
		Short:      "List the users",
		SuggestFor: []string{"get"},
		Example:    "  " + o.Command + " auth user list -o json",
		Args:       cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				users, err := r.Users(ctx, "")
				if err != nil {
					return err
				}
				if format != "" {
					return cli.Structured(o.Out, format, users)
				}
				for _, u := range users {
					fmt.Fprintln(o.Out, strings.TrimSpace(u.Username+" "+u.Email))
				}
				return nil
			})
		},
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}

func removeUser(o *cli.Options) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:        "remove NAME",
		Short:      "Remove a user from the realm; namespaces, buckets and secrets of the name stay",
		Long:       "Remove a user from the realm; namespaces, buckets and secrets of the name stay. It is asked first; where nobody can be\nasked, give --yes.",
		Example:    "  " + o.Command + " auth user remove ana",
		SuggestFor: []string{"delete", "uninstall"},
		Args:       one("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				if err := o.Ask(yes, fmt.Sprintf("Remove user %s from the realm?", args[0])); err != nil {
					return fmt.Errorf("user %s would be removed: %w", args[0], err)
				}
				if err := r.DeleteUser(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(o.Out, "user.keycloak/%s deleted\n", args[0])
				return err
			})
		},
	}
	cli.AddYesFlag(cmd, &yes, "Remove without being asked")
	return cli.Destroying(cmd)
}

// groups is `auth group`.
func groups(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Add and list groups, and say who belongs to them",
		Args:  cli.NoSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "add GROUP",
			Short: "Add a group; the key auth.groups keeps groups that always have to be there",
			Args:  one("GROUP"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
					if err := r.AddGroup(ctx, args[0]); err != nil {
						return err
					}
					_, err := fmt.Fprintf(o.Out, "group.keycloak/%s created\n", strings.Trim(args[0], "/"))
					return err
				})
			},
		},
		listGroups(o),
		setGroups(o),
	)
	return cmd
}

// retireBootstrap is `auth retire-bootstrap`.
func retireBootstrap(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "retire-bootstrap",
		Short: "Disable the administrator that Keycloak was started with; the realm is configured without",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inKeycloak(cmd.Context(), o, func(ctx context.Context, k *stage.Keycloak) error {
				if err := k.Account.RetireBootstrap(ctx, k.Own); err != nil {
					return err
				}
				_, err := fmt.Fprintf(o.Out, "user.keycloak/master.%s disabled\n", stage.KeycloakBootstrapUser)
				return err
			})
		},
	}
}

// testMail sends a mail from the realm's mail server.
func testMail(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "test-mail ADDRESS",
		Short: "Send a mail by the realm's mail server, to see that it works",
		Args:  one("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				if err := r.SendTestMail(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(o.Out, "a mail is on its way to %s\n", args[0])
				return err
			})
		},
	}
}

// inRealm opens the installation and works in its realm.
func inRealm(ctx context.Context, o *cli.Options, work func(context.Context, *keycloak.Realm) error) error {
	return inKeycloak(ctx, o, func(ctx context.Context, k *stage.Keycloak) error { return work(ctx, k.Realm) })
}

// inKeycloak opens the installation and works with its Keycloak.
func inKeycloak(ctx context.Context, o *cli.Options, work func(context.Context, *stage.Keycloak) error) error {
	inst, err := o.OpenToRead(ctx)
	if err != nil {
		return err
	}
	env := inst.Env("auth")
	if env.Keycloak == nil || inst.Platform.Auth.Mode == "oidc" {
		return fmt.Errorf("auth.mode is %s: users and groups are kept by somebody else", inst.Platform.Auth.Mode)
	}
	err = work(ctx, env.Keycloak)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) {
		return fmt.Errorf("%w; run `%s auth install` first", err, o.Call())
	}
	return err
}

func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return cli.Usagef("%s takes one argument, %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
