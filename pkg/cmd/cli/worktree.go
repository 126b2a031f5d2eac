package cli

import (
	"os"
	"path/filepath"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// WarnOfWorkTree warns that readable keys are about to be made where git would take them along.
func (o *Options) WarnOfWorkTree(k *KeyFlags) {
	if k.file == "" || k.Form() != vault.FormPlain {
		return
	}
	if top := workTree(k.file); top != "" {
		o.Warn("--keys-file " + k.file + " lies in the git work tree " + top + ": the keys open every secret in Vault, so put the file elsewhere, or encrypt it with --recipient")
	}
}

// workTree is the top folder of the git work tree that a file is or would be in; empty for none.
func workTree(file string) string {
	// Keys are where a link leads, to the file itself or to its folder.
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return ""
	}
	if target, err := filepath.EvalSymlinks(folder); err == nil {
		folder = target
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, ".git")); err == nil {
			return folder
		}
		above := filepath.Dir(folder)
		if above == folder {
			return ""
		}
		folder = above
	}
}
