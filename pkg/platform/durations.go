package platform

import "time"

// duration of a key that was checked when the configuration was completed; nothing for one that was left out.
func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// SessionTime is how long a login lasts.
func (a Auth) SessionTime() time.Duration { return duration(a.Session) }

// RememberMeTime is how long a login lasts of somebody who asked to be remembered.
func (l Lifespans) RememberMeTime() time.Duration { return duration(l.RememberMe) }

// AccessTokenTime is how long a token is good of a client that says nothing itself; 0 for what the realm has.
func (l Lifespans) AccessTokenTime() time.Duration { return duration(l.AccessToken) }

// CredentialsTime is how long S3 credentials live.
func (s S3) CredentialsTime() time.Duration { return duration(s.SessionDuration) }
