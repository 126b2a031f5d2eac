package keycloak

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// SMTP is the mail server of a realm.
type SMTP struct {
	Host string
	Port int
	// From is the sender's address.
	From string
	// FromName and ReplyTo may be empty, and are then left alone.
	FromName, ReplyTo string
	// Encryption is "starttls", "tls" or "none".
	Encryption string
	// Username is empty for a server without login.
	Username string
	// Password is asked for whenever the realm is looked at; its error is given on. Nil for a server without login.
	Password func(context.Context) (string, error)
}

// digestKey holds a salted digest of the password that we wrote, among the settings of the mail server.
//
// Keycloak shows "**********" for the password, so whether it is the wanted one cannot be seen. It does keep settings that it
// does not know, and replaces all settings whenever somebody writes them. So the digest lasts as long as our settings do: a
// new password in the Secret is seen, and so is a mail server that somebody set up anew. The one thing that is not seen is a
// password retyped by hand by a client that sends back all other settings as it read them; a test mail shows that one.
const digestKey = "kubectl-onyxia.password-digest"

// digestRounds of PBKDF2 keep a weak password from being guessed by those who may read the realm; about 60 ms.
const digestRounds = 200_000

func (s SMTP) wanted(ctx context.Context, seen document) (document, error) {
	want := document{
		"host":     s.Host,
		"port":     strconv.Itoa(s.Port),
		"from":     s.From,
		"ssl":      strconv.FormatBool(s.Encryption == "tls"),
		"starttls": strconv.FormatBool(s.Encryption == "starttls"),
		"auth":     strconv.FormatBool(s.Username != ""),
	}
	for key, value := range map[string]string{"fromDisplayName": s.FromName, "replyTo": s.ReplyTo, "user": s.Username} {
		if value != "" {
			want[key] = value
		}
	}
	if seen["authType"] != nil {
		// 26 can also log in with a token; ours is by password
		want["authType"] = "basic"
	}
	if s.Username == "" {
		// a masked password must not be sent back, and a digest must not outlive its password
		want["password"], want[digestKey] = unsent{}, unsent{}
		return want, nil
	}
	if s.Password == nil {
		return nil, fmt.Errorf("mail server %s: there is a user name and no password (auth.smtp.passwordSecret)", s.Host)
	}
	password, err := s.Password(ctx)
	if err != nil {
		return nil, fmt.Errorf("password of the mail server: %w", err)
	}
	known := matches(seen.text(digestKey), password)
	want["password"] = written{password: password, known: known}
	want[digestKey] = silent(seen.text(digestKey))
	if !known {
		want[digestKey], err = newDigest(password)
	}
	return want, err
}

// written is a password that cannot be seen. It counts as the same if its digest does, and is sent with every write.
type written struct {
	password string
	known    bool
}

func (w written) same(any) bool { return w.known }
func (w written) value(any) any { return w.password }
func (w written) field(path string, _ any) engine.Field {
	return engine.Field{Path: path, Secret: true}
}

// unsent is a value that is left out when its neighbours are written, and is no difference by itself.
type unsent struct{}

func (unsent) same(any) bool                         { return true }
func (unsent) value(any) any                         { return nil }
func (unsent) field(path string, _ any) engine.Field { return engine.Field{Path: path} }

// silent is a value that goes along with another one and is never shown as a difference.
type silent string

func (silent) same(any) bool                           { return true }
func (s silent) value(any) any                         { return string(s) }
func (s silent) field(path string, _ any) engine.Field { return engine.Field{Path: path} }

func newDigest(password string) (silent, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	digest, err := digest(password, salt)
	return silent(digest), err
}

func digest(password string, salt []byte) (string, error) {
	key, err := pbkdf2.Key(sha256.New, password, salt, digestRounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("digest of the mail server's password: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode(salt) + "." + encode(key), nil
}

func matches(seen, password string) bool {
	head, _, found := strings.Cut(seen, ".")
	salt, err := base64.RawURLEncoding.DecodeString(head)
	if !found || err != nil {
		return false
	}
	again, err := digest(password, salt)
	return err == nil && subtle.ConstantTimeCompare([]byte(again), []byte(seen)) == 1
}
