package keycloak

import (
	"strconv"
	"time"
)

// Lifespans of a realm's tokens and sessions; zero ones are left alone. Keycloak ends an access token with the client's session,
// and that with the user's, so a client's lifespans are worth no more than the realm's SSOMax (SessionExpirationUtils; defect
// D42 of the guide; seen in the tokens of 20.0.5, 21.1.2, 24.0.5 and 26.5.6).
type Lifespans struct {
	// AccessToken of clients that set none themselves. Keycloak's default is 5 minutes.
	AccessToken time.Duration
	// SSOIdle ends a session that nobody used, SSOMax any session. Keycloak's defaults are 30 minutes and 10 hours.
	SSOIdle, SSOMax time.Duration
	// SSOIdleRememberMe and SSOMaxRememberMe are the same for people who ticked "remember me".
	SSOIdleRememberMe, SSOMaxRememberMe time.Duration
}

// ClientLifespans are a client's own; zero ones are left alone.
type ClientLifespans struct {
	AccessToken, SessionIdle, SessionMax time.Duration
}

func (l Lifespans) document() document {
	d := document{}
	for key, span := range map[string]time.Duration{
		"accessTokenLifespan":   l.AccessToken,
		"ssoSessionIdleTimeout": l.SSOIdle, "ssoSessionMaxLifespan": l.SSOMax,
		"ssoSessionIdleTimeoutRememberMe": l.SSOIdleRememberMe, "ssoSessionMaxLifespanRememberMe": l.SSOMaxRememberMe,
	} {
		if span > 0 {
			d[key] = seconds(span)
		}
	}
	return d
}

// attributes of a client; Keycloak keeps them as text.
func (c ClientLifespans) attributes() document {
	d := document{}
	for key, span := range map[string]time.Duration{
		"access.token.lifespan": c.AccessToken, "client.session.idle.timeout": c.SessionIdle, "client.session.max.lifespan": c.SessionMax,
	} {
		if span > 0 {
			d[key] = strconv.Itoa(seconds(span))
		}
	}
	return d
}

func seconds(d time.Duration) int { return int(d / time.Second) }
