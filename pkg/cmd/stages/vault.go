package stages

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	vaultstage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// vaultCommands are what the stage has besides install.
func vaultCommands(o *cli.Options) []*cobra.Command {
	return []*cobra.Command{initialising(o), unsealing(o), configuring(o), proving(o)}
}

// initialisation is `vault init`.
type initialisation struct {
	*cli.Apply
	flags cli.KeyFlags
	keys  *vaultstage.Keys
	reset bool
}

func initialising(o *cli.Options) *cobra.Command {
	i := &initialisation{Apply: &cli.Apply{Options: o, Names: []string{vaultstage.Name}}}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Give Vault its keys, and keep them where you say",
		Long: `Give Vault its keys, and keep them where you say: in a file of mode 0600, readable as it is, encrypted to age
recipients or to the OpenPGP keys of several holders, or, if you ask for it by name, in a Secret of the cluster.

Whoever loses the keys loses every secret in Vault. They are never printed. Interrupted at any moment, the same command
finishes without losing them.`,
		Example: "  " + o.Command + " vault init --keys-file vault-keys.yaml\n" +
			"  " + o.Command + " vault init --recipient age1... --recipient age1...",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context()) },
	}
	i.flags.AddSharing(cmd)
	cmd.Flags().BoolVar(&i.reset, "reset", false, "If Vault's keys reached nobody, so that it is empty for good: delete its volume and begin anew")
	i.AddApplyFlags(cmd)
	return cmd
}

func (i *initialisation) run(ctx context.Context) error {
	keys, err := i.flags.Making()
	if err != nil {
		return err
	}
	if keys == nil || keys.Make == nil {
		return cli.Usagef("say where the keys are to go: --keys-file FILE, with --recipient to have them encrypted, or --keep-in-cluster")
	}
	keys.Required = true
	i.keys = keys
	if keys.File == "" {
		i.Warn("the keys are kept in secret " + vaultstage.KeysSecret + " beside Vault: whoever may read Secrets there, or has a backup of etcd, opens Vault, and its seal protects against nobody but a thief of its volume")
	}
	i.WarnOfWorkTree(&i.flags)
	keyed := vaultstage.With(vaultstage.Options{Keys: keys, Say: i.Say})
	i.Only = func(s engine.Step) bool { return s.ID == vaultstage.KeysID }
	inst, err := i.Apply.Run(ctx, keyed)
	var lost *vault.LostError
	if i.reset && inst != nil && errors.As(err, &lost) {
		if err := i.renew(ctx, inst, lost); err != nil {
			return err
		}
		inst, err = i.Apply.Run(ctx, keyed)
	}
	if err != nil || inst == nil || i.Output != "" {
		return err
	}
	return i.next()
}

// renew throws the lost Vault away.
func (i *initialisation) renew(ctx context.Context, inst *installation.Installation, lost *vault.LostError) error {
	if err := i.Confirm(ctx, lost.Error()+"\nIts volume is deleted now."); err != nil {
		return fmt.Errorf("vault is not reset: %w", err)
	}
	return engine.WithLock(ctx, inst.Lock, func(ctx context.Context) error {
		return vaultstage.Reset(ctx, inst.Env(vaultstage.Name), vaultstage.Options{Keys: i.keys}, lost)
	})
}

// next says where the keys are and what to do now.
func (i *initialisation) next() error {
	where, unseal := "the file "+i.keys.File, " --keys-file "+i.keys.File
	if i.keys.File == "" {
		where, unseal = "secret "+vaultstage.KeysSecret, ""
	}
	form := i.flags.Form()
	switch form {
	case vault.FormAge:
		unseal += " --identity FILE"
	case vault.FormPGP:
		unseal = ""
	}
	if !i.keys.Opens() {
		_, err := fmt.Fprintf(i.Out, "Vault had keys already, and nothing was done. Whether those in %s open it shows with: %s vault unseal%s\n", where, i.Call(), unseal)
		return err
	}
	_, err := fmt.Fprintf(i.Out, "The keys are in %s. Keep a copy where neither the cluster nor this machine can take it along.\nNext: %s vault unseal%s\n", where, i.Call(), unseal)
	return err
}

// unsealing opens Vault's servers.
func unsealing(o *cli.Options) *cobra.Command {
	flags := &cli.KeyFlags{}
	a := &cli.Apply{Options: o, Names: []string{vaultstage.Name}, Only: vaultstage.Unseals}
	cmd := &cobra.Command{
		Use:   "unseal",
		Short: "Open Vault, which is sealed after every restart of its pod",
		Long: `Open Vault, which is sealed after every restart of its pod. The key shares come from --keys-file, from the Secret that
` + "`init --keep-in-cluster`" + ` made, or are typed; elsewhere than at a terminal they are read from standard input, one a line.

Several holders run it one after the other, on any machine: each types their share and ends with an empty line.`,
		Example: "  " + o.Command + " vault unseal --keys-file vault-keys.yaml",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := flags.Reading()
			if err != nil {
				return err
			}
			typed := cli.NewTyped(o)
			_, err = a.Run(cmd.Context(), vaultstage.With(vaultstage.Options{Keys: keys, Say: a.Say, Shares: typed.Shares}))
			return err
		},
	}
	flags.AddReading(cmd)
	a.AddApplyFlags(cmd)
	return cmd
}

// configuring makes everything inside Vault, and what in the realm belongs to it.
func configuring(o *cli.Options) *cobra.Command {
	return inside(o, "configure", "Make login, policies and the users' folders in Vault, and show that they hold", engine.Inside(vaultstage.Name), false)
}

// proving tries Vault out as a user.
func proving(o *cli.Options) *cobra.Command {
	return inside(o, "proof", "Try Vault out with two users made for it: each reaches what is theirs and nothing else", vaultstage.Proves, true)
}

// inside makes a command that needs rights on Vault: by the realm's service account, by the keys, or by a token.
func inside(o *cli.Options, use, short string, only func(engine.Step) bool, prove bool) *cobra.Command {
	flags := &cli.KeyFlags{}
	a := &cli.Apply{Options: o, Names: []string{vaultstage.Name}, Only: only}
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `.

The rights for it come from the realm's service account. Before Vault knows that one, and when it does not any more, give
--keys-file, or in the environment variable VAULT_TOKEN a token that may do all this. It is sent to the Vault that VAULT_ADDR
names, and to another one only if you agree.`,
		Example: "  " + o.Command + " vault " + use + " --keys-file vault-keys.yaml",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := flags.Reading()
			if err != nil {
				return err
			}
			given := cli.WithVaultToken(vaultstage.Options{Keys: keys, Say: a.Say, Inside: true, Prove: prove, Sessions: &vaultstage.Sessions{}})
			a.End = given.Sessions.Close
			_, err = a.Run(cmd.Context(), vaultstage.With(given))
			return err
		},
	}
	flags.AddReading(cmd)
	a.AddApplyFlags(cmd)
	return cmd
}
