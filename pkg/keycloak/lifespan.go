package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Lifespans of a realm's tokens and sessions. Zero is "leave alone" when written, and "Keycloak's rule" when read: a
// remember-me session without a lifespan of its own lives as long as any other.
type Lifespans struct {
	// AccessToken of clients that set none themselves. Keycloak's default is 5 minutes.
	AccessToken time.Duration
	// SSOIdle ends a session that nobody used, SSOMax any session. Keycloak's defaults are 30 minutes and 10 hours.
	SSOIdle, SSOMax time.Duration
	// SSOIdleRememberMe and SSOMaxRememberMe are the same for people who ticked "remember me".
	SSOIdleRememberMe, SSOMaxRememberMe time.Duration
	// ClientMax caps the session of any client that sets none itself; 0 for SSOMax.
	ClientMax time.Duration
}

// ClientLifespans are a client's own; zero ones are left alone.
type ClientLifespans struct {
	AccessToken, SessionIdle, SessionMax time.Duration
}

// fields pairs the realm's fields with the lifespans.
func (l *Lifespans) fields() map[string]*time.Duration {
	return map[string]*time.Duration{
		"accessTokenLifespan":             &l.AccessToken,
		"ssoSessionIdleTimeout":           &l.SSOIdle,
		"ssoSessionMaxLifespan":           &l.SSOMax,
		"ssoSessionIdleTimeoutRememberMe": &l.SSOIdleRememberMe,
		"ssoSessionMaxLifespanRememberMe": &l.SSOMaxRememberMe,
		"clientSessionMaxLifespan":        &l.ClientMax,
	}
}

func (l Lifespans) document() document {
	d := document{}
	for key, span := range l.fields() {
		if *span > 0 {
			d[key] = seconds(*span)
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

// Lifespans reads the realm's own; an error of *engine.NotYetError when there is no such realm.
func (r *Realm) Lifespans(ctx context.Context) (Lifespans, error) {
	self, err := r.self.Get(ctx)
	if err != nil {
		return Lifespans{}, err
	}
	if self == nil {
		return Lifespans{}, r.missing(&Error{Status: 404})
	}
	var l Lifespans
	for key, span := range l.fields() {
		if n, ok := self[key].(json.Number); ok {
			value, err := n.Int64()
			if err != nil {
				return Lifespans{}, fmt.Errorf("realm %s: %s: %w", r.name, key, err)
			}
			*span = time.Duration(value) * time.Second
		}
	}
	return l, nil
}

// Cap is a lifespan that comes out shorter than it was asked for.
type Cap struct {
	// Name of the client's lifespan, as Keycloak's attribute.
	Name string
	// Wanted and what comes of it.
	Wanted, Effective time.Duration
	// By is the setting that cuts it short.
	By string
}

// String says what is cut short by what.
func (c Cap) String() string {
	return fmt.Sprintf("%s of %s becomes %s: cut short by %s", c.Name, c.Wanted, c.Effective, c.By)
}

// EffectiveAccessToken is how long an access token of the client lives at most, for a session without "remember me". Keycloak
// ends it with the client's session, and that with the user's (SessionExpirationUtils; defect D42 of the guide). Seen in the
// tokens of 20.0.5, 21.1.2, 24.0.5 and 26.5.6.
func (l Lifespans) EffectiveAccessToken(c ClientLifespans) (time.Duration, []Cap) {
	wanted, name := c.AccessToken, "access.token.lifespan"
	if wanted == 0 {
		wanted, name = l.AccessToken, "accessTokenLifespan"
	}
	sessionMax, by, caps := l.clientSession(c)
	if wanted <= sessionMax {
		return wanted, caps
	}
	return sessionMax, append([]Cap{{Name: name, Wanted: wanted, Effective: sessionMax, By: by}}, caps...)
}

// clientSession is how long a client's session lives, what decides it, and which wishes of the client are cut.
func (l Lifespans) clientSession(c ClientLifespans) (time.Duration, string, []Cap) {
	var caps []Cap
	if c.SessionIdle > l.SSOIdle {
		caps = append(caps, Cap{Name: "client.session.idle.timeout", Wanted: c.SessionIdle, Effective: l.SSOIdle, By: "the realm's ssoSessionIdleTimeout"})
	}
	span, by := l.SSOMax, "the realm's ssoSessionMaxLifespan"
	switch {
	case c.SessionMax > l.SSOMax:
		caps = append(caps, Cap{Name: "client.session.max.lifespan", Wanted: c.SessionMax, Effective: l.SSOMax, By: by})
	case c.SessionMax > 0:
		span, by = c.SessionMax, "the client's client.session.max.lifespan"
	case l.ClientMax > 0 && l.ClientMax < l.SSOMax:
		span, by = l.ClientMax, "the realm's clientSessionMaxLifespan"
	}
	return span, by, caps
}
