package keycloak

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Doubts are what lets strangers in whatever the steps do: things of other people that they leave alone. One line each with
// its fix; none for a realm that is not there yet, or that we cannot log in for yet. It asks for what the steps of the realm
// read anyway, so in an observation round it sends nothing.
func (r *Realm) Doubts(ctx context.Context) ([]string, error) {
	var doubts []string
	self, err := r.self.Get(ctx)
	if gone(err) || errors.Is(err, ErrCredentials) || err == nil && self == nil {
		return doubts, nil
	}
	if err != nil {
		return doubts, err
	}
	if strings.EqualFold(self.text("sslRequired"), "none") {
		doubts = append(doubts, "realm "+r.name+": it takes passwords over plain HTTP from anywhere: set Require SSL to \"External requests\" in its settings")
	}
	clients, err := r.clients.Get(ctx)
	if err != nil {
		return doubts, err
	}
	for _, client := range clients {
		if uri := openRedirect(client); uri != "" {
			doubts = append(doubts, fmt.Sprintf("client %s of realm %s: any site may take the codes of its users, because %q is one of its redirect URIs: "+
				"name its own host there, or disable the client", client.text("clientId"), r.name, uri))
		}
	}
	return doubts, nil
}

// openRedirect gives a redirect address of a client that leaves the host open; empty if there is none, if nobody can log in
// through the client, or if it is ours: a step mends that.
func openRedirect(client document) string {
	usable := client["enabled"] != false && client["bearerOnly"] != true && (client["standardFlowEnabled"] == true || client["implicitFlowEnabled"] == true)
	if !usable || ours(client) {
		return ""
	}
	for _, uri := range stringList(client["redirectUris"]) {
		if anyHost(uri) {
			return uri
		}
	}
	return ""
}

// anyHost tells a redirect address that some foreign host fits. Keycloak knows a star at the end only, and compares what
// stands before it as text: "https://lab.example*" also fits https://lab.example.evil.org.
func anyHost(uri string) bool {
	head, star := strings.CutSuffix(uri, "*")
	if !star {
		return false
	}
	for _, scheme := range []string{"http://", "https://"} {
		if strings.HasPrefix(scheme, head) {
			return true
		}
		if rest, web := strings.CutPrefix(head, scheme); web {
			return !strings.Contains(rest, "/")
		}
	}
	return false
}
