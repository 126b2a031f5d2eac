// The kubectl and Helm plugin.
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // clusters behind OIDC, GKE and AKS logins

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/root"
)

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(root.Main(streams, os.Args))
}
