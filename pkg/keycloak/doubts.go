package keycloak

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Expected is what doubts about a realm are measured by.
type Expected struct {
	// Settings that the realm is to have.
	Settings Settings
	// Terms says that there are terms to show.
	Terms bool
	// MaxUsername is how long a username may be.
	MaxUsername int
	// Nonce says that the web application wants the claim nonce in access tokens, as keycloak-js before 25 does.
	Nonce bool
}

// Doubts are what lets strangers in or keeps people out whatever the steps do: things of other people that they leave alone.
// One line each with its fix; none for a realm that is not there yet, or that we cannot log in for yet. In an observation round
// it asks for what the steps of the realm read anyway, for the required actions, and in a realm that was there before for the
// first users.
func (r *Realm) Doubts(ctx context.Context, e Expected) ([]string, error) {
	var doubts []string
	self, err := r.self.Get(ctx)
	if gone(err) || errors.Is(err, ErrCredentials) || err == nil && self == nil {
		return doubts, nil
	}
	if err != nil {
		return doubts, err
	}
	doubts = append(doubts, r.ownDoubts(self, e)...)
	clients, err := r.clients.Get(ctx)
	if err != nil {
		return doubts, err
	}
	info, err := r.admin.ServerInfo(ctx)
	if err != nil {
		return doubts, err
	}
	if missing := e.Settings.missingThemes(info); missing != "" {
		doubts = append(doubts, fmt.Sprintf("realm %s: the server has no %s, so people see Keycloak's own pages: see the log of the init container onyxia-theme of its pod and restart that, "+
			"or put the jar into the providers of a Keycloak of yours; auth.theme.url: none is without a theme", r.name, missing))
	}
	if e.Nonce && info.Features.NoNonce {
		doubts = append(doubts, fmt.Sprintf("Keycloak %s puts no nonce into access tokens, and this release of Onyxia does not log in without: take Onyxia 11 or later (charts.onyxia.version), or Keycloak 24 or older", info.Version))
	}
	for _, more := range []func(context.Context, document, Expected) (string, error){r.strayTerms, r.strayNames} {
		doubt, err := more(ctx, self, e)
		if err != nil {
			return doubts, err
		}
		if doubt != "" {
			doubts = append(doubts, doubt)
		}
	}
	for _, client := range clients {
		if uri := openRedirect(client); uri != "" {
			doubts = append(doubts, fmt.Sprintf("client %s of realm %s: any site may take the codes of its users, because %q is one of its redirect URIs: "+
				"name its own host there, or disable the client", client.text("clientId"), r.name, uri))
		}
	}
	return doubts, nil
}

// ownDoubts are about the realm's own settings, as they are to become.
func (r *Realm) ownDoubts(self document, e Expected) (doubts []string) {
	if strings.EqualFold(self.text("sslRequired"), "none") {
		doubts = append(doubts, "realm "+r.name+": it takes passwords over plain HTTP from anywhere: set Require SSL to \"External requests\" in its settings")
	}
	if self["editUsernameAllowed"] == true {
		doubts = append(doubts, "users of realm "+r.name+" may change their own name, and with it whose namespace, bucket and secrets they reach: switch off \"Edit username\" in its login settings")
	}
	verifies := self["verifyEmail"] == true
	if wanted := e.Settings.VerifyEmail; wanted != nil {
		verifies = *wanted
	}
	if verifies && e.Settings.SMTP == nil && child(self["smtpServer"]).text("host") == "" {
		doubts = append(doubts, NoMailServer(r.name))
	}
	return doubts
}

// NoMailServer is the doubt about a realm whose new users wait for a mail that nobody sends.
func NoMailServer(realm string) string {
	return "realm " + realm + " asks new users to click in a mail, and has no mail server that sends it: none of them can log in; name one (auth.smtp), or set auth.login.verifyEmail to false"
}

// strayTerms tells that new users have to accept terms that are not there: their page says so and nothing else.
func (r *Realm) strayTerms(ctx context.Context, _ document, e Expected) (string, error) {
	if e.Terms {
		return "", nil
	}
	list, err := r.actions.Get(ctx)
	if err != nil {
		return "", err
	}
	action := findAction(list, Terms)
	if action == nil || action["enabled"] != true || action["defaultAction"] != true {
		return "", nil
	}
	return "realm " + r.name + " asks new users to accept terms, and auth.terms names none: name them, or set auth.login.acceptTerms to false", nil
}

// namesRead is how many users of a realm are looked at.
const namesRead = 1000

// strayNames tells of users from before the rule for names. They can log in, and get no namespace.
func (r *Realm) strayNames(ctx context.Context, self document, e Expected) (string, error) {
	if ours(self) {
		return "", nil
	}
	list, err := r.people.Get(ctx)
	if err != nil {
		return "", err
	}
	var stray []string
	for _, user := range list {
		if name := user.text("username"); !validUsername(name) || len(name) > e.MaxUsername {
			stray = append(stray, name)
		}
	}
	if len(stray) == 0 {
		return "", nil
	}
	const shown = 3
	return fmt.Sprintf("%d of the first %d users of realm %s have names that no namespace can be called, such as %s: Onyxia does nothing for them; "+
		"rename them to lower-case letters, digits and dashes, at most %d", len(stray), len(list), r.name, strings.Join(stray[:min(shown, len(stray))], ", "), e.MaxUsername), nil
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
