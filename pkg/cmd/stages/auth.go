package stages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
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
			if err != nil || inst == nil || !inst.Platform.HasAuth() {
				return err
			}
			for i, line := range auth.ByHand(inst.Platform) {
				if i == 0 {
					fmt.Fprintf(o.Out, "By hand, at %s:\n", inst.Platform.Issuer())
				}
				fmt.Fprintln(o.Out, "  "+line)
			}
			return nil
		},
	}
	a.AddApplyFlags(cmd)
	return cmd
}

// people is `auth user`.
func people(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, list and remove users of the realm, and give them new passwords",
		Args:  cli.NoSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(addUser(o), newPassword(o), listUsers(o), removeUser(o))
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
				if password == "" {
					return err
				}
				// The user is there, whatever else is missing, and nobody can tell the password later.
				fmt.Fprintf(o.ErrOut, "user %s added; the temporary password, to be changed at the first login:\n", u.Name)
				_, printed := fmt.Fprintln(o.Out, password)
				return errors.Join(err, printed)
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

func newPassword(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "password NAME",
		Short: "Give a user a new temporary password, shown once, on stdout",
		Args:  one("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				password, err := r.ResetPassword(ctx, args[0])
				if err != nil {
					return unlisted(err)
				}
				fmt.Fprintf(o.ErrOut, "the temporary password of user %s, to be changed at the next login:\n", args[0])
				_, err = fmt.Fprintln(o.Out, password)
				return err
			})
		},
	}
}

// list prints what a realm has: a line each, or as it is where a machine reads it.
func list[T any](o *cli.Options, noun, what string, find func(context.Context, *keycloak.Realm) ([]T, error), line func(T) string) *cobra.Command {
	var format cli.Format
	cmd := &cobra.Command{
		Use:        "list",
		Short:      "List the " + what,
		SuggestFor: []string{"get"},
		Example:    "  " + o.Command + " auth " + noun + " list -o json",
		Args:       cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				found, err := find(ctx, r)
				if err != nil {
					return err
				}
				if format != "" {
					return cli.Structured(o.Out, format, append([]T{}, found...))
				}
				for _, one := range found {
					if _, err := fmt.Fprintln(o.Out, line(one)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}

func listUsers(o *cli.Options) *cobra.Command {
	every := func(ctx context.Context, r *keycloak.Realm) ([]keycloak.User, error) { return r.Users(ctx, "") }
	return list(o, "user", "users", every, func(u keycloak.User) string { return strings.TrimSpace(u.Username + " " + u.Email) })
}

func removeUser(o *cli.Options) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user from the realm; namespaces, buckets and secrets of the name stay",
		Long: "Remove a user from the realm; namespaces, buckets and secrets of the name stay, and whoever gets that name next has\n" +
			"them. To keep the name taken, disable the account in Keycloak's console instead. It is asked first; where nobody can be\n" +
			"asked, give --yes.",
		Example:    "  " + o.Command + " auth user remove ana",
		SuggestFor: []string{"delete", "uninstall"},
		Args:       one("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inRealm(cmd.Context(), o, func(ctx context.Context, r *keycloak.Realm) error {
				u, err := r.FindUser(ctx, args[0])
				if err != nil {
					return unlisted(err)
				}
				question := fmt.Sprintf("Whoever gets the name %s next has its namespace, bucket and secrets; an account that is disabled in Keycloak's console keeps "+
					"the name taken.\nRemove user %s from the realm?", u.Username, u.Username)
				if err := o.Ask(ctx, yes, question); err != nil {
					return fmt.Errorf("user %s would be removed: %w", u.Username, err)
				}
				if err := r.DeleteUser(ctx, u.Username); err != nil {
					return err
				}
				_, err = fmt.Fprintf(o.Out, "user.keycloak/%s deleted\n", u.Username)
				return err
			})
		},
	}
	cli.AddYesFlag(cmd, &yes, "Remove without being asked")
	return cli.Destroying(cmd)
}

// unlisted adds where the names are to an error about a user who is not there.
func unlisted(err error) error {
	if errors.Is(err, keycloak.ErrNoUser) {
		return fmt.Errorf("%w; `kubectl onyxia auth user list` shows the names", err)
	}
	return err
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
				return inDatalab(cmd.Context(), o, func(ctx context.Context, p platform.Platform, k *stage.Keycloak) error {
					return addGroup(ctx, o, p, k.Realm, strings.Trim(args[0], "/"))
				})
			},
		},
		listGroups(o),
		setGroups(o),
	)
	return cmd
}

func addGroup(ctx context.Context, o *cli.Options, p platform.Platform, r *keycloak.Realm, path string) error {
	if err := p.CheckGroup(path); err != nil {
		return err
	}
	made, err := r.AddGroup(ctx, path)
	if err != nil {
		return err
	}
	became := "unchanged"
	if made {
		became = "created"
	}
	if _, err := fmt.Fprintf(o.Out, "group.keycloak/%s %s\n", path, became); err != nil {
		return err
	}
	list, err := r.Groups(ctx)
	for _, same := range platform.SameNames(list) {
		if slices.Contains(same, path) {
			o.Warn(auth.SameGroups(same))
		}
	}
	return err
}

// retireBootstrap is `auth retire-bootstrap`.
func retireBootstrap(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "retire-bootstrap",
		Short: "Disable the administrator that Keycloak was started with; the realm is configured without",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inKeycloak(cmd.Context(), o, func(ctx context.Context, k *stage.Keycloak) error {
				if err := k.RetireBootstrap(ctx); err != nil {
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
			return inDatalab(cmd.Context(), o, func(ctx context.Context, p platform.Platform, k *stage.Keycloak) error {
				if err := k.Realm.SendTestMail(ctx, args[0]); err != nil {
					return unsent(p, err)
				}
				_, err := fmt.Fprintf(o.Out, "a mail is on its way to %s\n", args[0])
				return err
			})
		},
	}
}

// unsent adds where the log of a Keycloak of ours is to the error of a mail that it could not send.
func unsent(p platform.Platform, err error) error {
	if keycloak.IsStatus(err, http.StatusInternalServerError) && p.Auth.InstallsKeycloak() {
		return fmt.Errorf("%w: `kubectl -n %s logs statefulset/keycloak --tail 50`", err, p.Auth.Namespace)
	}
	return err
}

// inRealm opens the installation and works in its realm.
func inRealm(ctx context.Context, o *cli.Options, work func(context.Context, *keycloak.Realm) error) error {
	return inKeycloak(ctx, o, func(ctx context.Context, k *stage.Keycloak) error { return work(ctx, k.Realm) })
}

// inKeycloak opens the installation and works with its Keycloak.
func inKeycloak(ctx context.Context, o *cli.Options, work func(context.Context, *stage.Keycloak) error) error {
	return inDatalab(ctx, o, func(ctx context.Context, _ platform.Platform, k *stage.Keycloak) error { return work(ctx, k) })
}

// inDatalab is inKeycloak for work that needs the configuration as well.
func inDatalab(ctx context.Context, o *cli.Options, work func(context.Context, platform.Platform, *stage.Keycloak) error) error {
	inst, err := o.OpenToRead(ctx)
	if err != nil {
		return err
	}
	env := inst.Env("auth")
	if env.Keycloak == nil || inst.Platform.Auth.OtherIssuer() {
		return fmt.Errorf("auth.mode is %s: users and groups are kept by somebody else", inst.Platform.Auth.Mode)
	}
	err = work(ctx, inst.Platform, env.Keycloak)
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
