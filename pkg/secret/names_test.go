package secret

import "testing"

// B7: one list of what looks like a secret. What one of the lists of before knew, this one knows.
func TestB7NamesOfSecrets(t *testing.T) {
	for name, c := range map[string]struct{ named, holds bool }{
		"password": {true, true}, "rootPassword": {true, true}, "DB_PASSWD": {true, true}, "passphrase": {true, true},
		"VAULT_TOKEN": {true, true}, "api_key": {true, true}, "apiKey": {true, true}, "private-key": {true, true}, "PRIVATE_KEY": {true, true},
		"secretKey": {true, true}, "secret_key": {true, true}, "AWS_SECRET_ACCESS_KEY": {true, true}, "clientSecret": {true, true},
		"DNSUPDATE_TSIG_SECRET": {true, false}, "hmac": {true, true}, "http.proxyPassword": {true, true}, "Authorization": {true, true},
		"credentials": {true, true}, "AWS_ACCESS_KEY_ID": {true, false}, "accessKey": {true, false},
		// Names of Secrets, and what is said about secrets.
		"credentialsSecret": {true, false}, "existingSecret": {true, false}, "existingSecretKey": {true, false}, "secretName": {true, false},
		"passwordSecret": {true, false}, "tokenTTL": {true, false}, "automountServiceAccountToken": {true, true}, "imagePullSecrets": {true, false},
		"secretKeyRef": {true, false}, "existingSecretPasswordKey": {true, false},
		// No secrets.
		"domain": {}, "key": {}, "publicKey": {}, "kid": {}, "author": {}, "username": {}, "keyType": {},
	} {
		if Named(name) != c.named || Holds(name) != c.holds {
			t.Errorf("%s: named %v, holds %v", name, Named(name), Holds(name))
		}
	}
}
