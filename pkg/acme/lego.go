package acme

import (
	"fmt"
	"strings"

	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/lego"
	"github.com/go-acme/lego/v4/log"
)

// shareWithLego sets what lego v4 keeps in package variables: the resolvers that its DNS providers find zones and
// CNAMEs with, and a cache of those zones. Both are set anew for each order, so that nothing of an earlier one is left.
func shareWithLego(resolvers []string) {
	// The option sets the variable at once and looks at no challenge; its error is always nil in v4.35.2.
	_ = dns01.AddRecursiveNameservers(resolvers)(nil)
	dns01.ClearFqdnCache()
}

// quieten keeps lego from writing to stderr.
func quieten() { log.Logger = silence{} }

// silence takes lego's log. What matters of it comes back as errors.
type silence struct{}

func (silence) Print(...any)          {}
func (silence) Println(...any)        {}
func (silence) Printf(string, ...any) {}

// The fatal ones end the process in lego's logger. Here they end the call of the provider, which gives an error.

func (silence) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (silence) Fatalln(args ...any)               { panic(fmt.Sprintln(args...)) }
func (silence) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// DirectoryURL resolves the short names of tls.acme.server: "letsencrypt", "letsencrypt-staging", or any URL as it is.
func DirectoryURL(server string) string {
	switch server {
	case "", "letsencrypt":
		return lego.LEDirectoryProduction
	case "letsencrypt-staging":
		return lego.LEDirectoryStaging
	default:
		return server
	}
}

// StagingDirectory tells whether a directory is one for trying out, as far as its address shows it. What an authority
// really is shows the certificate, see Info.Staging.
func StagingDirectory(directory string) bool {
	return directory == lego.LEDirectoryStaging || strings.Contains(directory, "staging")
}
