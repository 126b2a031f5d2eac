package vault

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Spool is a place beside a Vault where its answer to sys/init lies until its keys are safe elsewhere. The answer is
// sealed with OpenPGP, so the place needs no secrecy.
type Spool interface {
	// Initialise has the Vault initialise itself and lay its answer down. Once Vault has been asked, the answer gets
	// there even if this program is killed. It returns when the answer is there.
	Initialise(ctx context.Context, question initRequest) error
	// Collect gives the answer, or false if none lies there. The error of one that is not whole matches ErrDamaged.
	Collect(ctx context.Context) (initAnswer, bool, error)
	// Remove removes the answer; that there is none is no error.
	Remove(ctx context.Context) error
	// String says where, for messages.
	String() string
}

// ErrDamaged says that an answer lies there which is not whole.
var ErrDamaged = errors.New("vault's answer is damaged")

// Exec runs a command in Vault's container, as kubectl exec does, and gives what it printed on stdout. Its error says
// what the command printed on stderr.
type Exec func(ctx context.Context, command []string, stdin []byte) ([]byte, error)

//go:embed spool.sh
var spoolScript string

// PodSpool is a folder of Vault's own volume, written by the vault program in Vault's container. The image must have
// /bin/sh, as hashicorp/vault and openbao/openbao do. The program finds its server by VAULT_ADDR or BAO_ADDR, which both
// charts set.
type PodSpool struct {
	Exec Exec
	// Folder on the volume: "/vault/data", or "/openbao/data".
	Folder string
	// CLI is "vault" or "bao".
	CLI string
	// Where is the place in words: "the volume of pod vault/vault-0".
	Where string
}

// String is where.
func (s PodSpool) String() string { return s.Where }

func (s PodSpool) run(ctx context.Context, stdin []byte, verb string, args ...string) ([]byte, error) {
	// The shell begins its complaints with the name, and the script starts itself anew.
	command := append([]string{"/bin/sh", "-c", spoolScript, "vault-init", spoolScript, verb, s.Folder}, args...)
	out, err := s.Exec(ctx, command, stdin)
	if err != nil {
		return nil, fmt.Errorf("%s of vault's answer on %s: %w", verb, s.Where, err)
	}
	return out, nil
}

// Initialise starts the vault program in a session of its own, so that it outlives the connection.
func (s PodSpool) Initialise(ctx context.Context, question initRequest) error {
	kind, shares, threshold, keys := KindUnseal, question.SecretShares, question.SecretThreshold, question.PGPKeys
	if len(question.RecoveryPGPKeys) > 0 {
		kind, shares, threshold, keys = KindRecovery, question.RecoveryShares, question.RecoveryThreshold, question.RecoveryPGPKeys
	}
	// The dot, because not every version of kubectl exec's protocol can say that stdin has ended.
	stdin := strings.Join(append(slices.Clone(keys), "."), "\n") + "\n"
	_, err := s.run(ctx, []byte(stdin), "initialise", s.CLI, kind, strconv.Itoa(shares), strconv.Itoa(threshold))
	return err
}

// Collect reads what the program wrote: vault operator init -format=json (vault 1.14.1).
func (s PodSpool) Collect(ctx context.Context) (initAnswer, bool, error) {
	out, err := s.run(ctx, nil, "collect")
	if err != nil || len(out) == 0 {
		return initAnswer{}, false, err
	}
	var answer struct {
		Keys      []string `json:"unseal_keys_b64"`
		Recovery  []string `json:"recovery_keys_b64"`
		RootToken string   `json:"root_token"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return initAnswer{}, false, fmt.Errorf("%w on %s: it is no JSON", ErrDamaged, s.Where)
	}
	if len(answer.Keys) == 0 {
		answer.Keys = answer.Recovery
	}
	if len(answer.Keys) == 0 || answer.RootToken == "" {
		return initAnswer{}, false, fmt.Errorf("%w on %s: keys are missing in it", ErrDamaged, s.Where)
	}
	return initAnswer{Keys: answer.Keys, RootToken: answer.RootToken}, true, nil
}

// Remove removes the answer.
func (s PodSpool) Remove(ctx context.Context) error {
	_, err := s.run(ctx, nil, "remove")
	return err
}
