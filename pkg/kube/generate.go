package kube

import "crypto/rand"

// Generate makes the value of one key. It is called once in the life of the key.
type Generate func() ([]byte, error)

// Literal is for what stands beside a secret and is none: the name of the user whose password is generated.
func Literal(value string) Generate {
	return func() ([]byte, error) { return []byte(value), nil }
}

// alphabet has no sign that a shell, a URL, YAML or a connection string reads in its own way.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// How long the secrets are that Password makes. 40 letters and digits are 238 bits, 32 are 190.
const (
	SecretLength   = 40
	PasswordLength = 32
)

// Password makes a text of letters and digits, nearly 6 bits of chance each.
func Password(length int) Generate {
	return func() ([]byte, error) {
		password := make([]byte, 0, length)
		// Bytes from limit on would make the first letters of the alphabet likelier.
		limit := byte(256 / len(alphabet) * len(alphabet))
		for one := make([]byte, 1); len(password) < length; {
			if _, err := rand.Read(one); err != nil {
				return nil, err
			}
			if one[0] < limit {
				password = append(password, alphabet[int(one[0])%len(alphabet)])
			}
		}
		return password, nil
	}
}
