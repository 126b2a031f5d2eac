package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// What must never reach another Vault.
var hushed = []string{"share-one", "share-two", "share-three", "hvs.root-of-mine"}

const vaultAddress = "https://vault.lab.demo.test"

// keysOf writes a document of keys, with what it knows of its Vault.
func keysOf(t *testing.T, cluster, id string, change ...func(*vault.Keys)) string {
	t.Helper()
	keys := vault.Keys{
		Version: 1, State: vault.KeysComplete, Kind: vault.KindUnseal, Form: vault.FormPlain, Address: vaultAddress, Cluster: cluster, Vault: id,
		Created: time.Now().UTC().Truncate(time.Second), Shares: 3, Threshold: 2, Keys: hushed[:3], RootToken: hushed[3],
	}
	for _, each := range change {
		each(&keys)
	}
	text, err := yaml.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func readDocument(t *testing.T, file string) vault.Keys {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (l *lab) uid(t *testing.T) string {
	t.Helper()
	uid, err := l.env.Kube.UID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

// vaultOnly is what a command makes of the stage, with what is not inside Vault found as it is wanted.
func (l *lab) vaultOnly(t *testing.T, o Options, only func(engine.Step) bool) engine.Run {
	t.Helper()
	list, err := With(o).Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range list {
		if s.OfServer || strings.Contains(string(s.ID), ".keycloak/") {
			list[i] = engine.Serving([]engine.Step{stagetest.Standing(s.ID)})[0]
		}
	}
	return engine.Run{Steps: stagetest.Complete(engine.Stage(Name, list...)), Selected: only}
}

// commands are those that bring keys along, with what they make of them.
func commands(file string) map[string]struct {
	options Options
	only    func(engine.Step) bool
} {
	type command = struct {
		options Options
		only    func(engine.Step) bool
	}
	return map[string]command{
		"vault init":      {Options{Keys: making(Keys{File: file, Required: true})}, func(s engine.Step) bool { return s.ID == KeysID }},
		"vault unseal":    {Options{Keys: &Keys{File: file}}, Unseals},
		"vault configure": {Options{Keys: &Keys{File: file}, Inside: true}, func(s engine.Step) bool { return engine.Inside(Name)(s) }},
		"vault proof":     {Options{Keys: &Keys{File: file}, Inside: true, Prove: true}, Proves},
		"up":              {Options{Keys: making(Keys{File: file})}, nil},
	}
}

// run plans and, unless the plan says that it cannot be, applies.
func run(t *testing.T, r engine.Run) (engine.Plan, error) {
	t.Helper()
	plan, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Err(); err != nil {
		return plan, err
	}
	return plan, r.Apply(t.Context(), plan, engine.Options{Timeout: 5 * time.Second})
}

func oidc(c *platform.Config) { c.Auth.Mode, c.Auth.URL = "oidc", "https://login.elsewhere.test" }

// states are those of a Vault that a kubeconfig may lead to.
func (r *recorder) states() map[string]func() {
	return map[string]func(){
		"new":    func() { r.is(false, true) },
		"sealed": func() { r.is(true, true) },
		"open":   func() { r.is(true, false) },
	}
}

// Two clusters, two API servers, one domain: of the keys of the one nothing reaches the other, whatever the command, whether its
// Vault is new, sealed or open, and however much the document knows (B1).
func TestB1KeysOfAnotherCluster(t *testing.T) {
	mine, other := newLab(t, oidc), newLabIn(t, kubetest.StartOther(t), oidc)
	received := startRecorder(t, "theirs")
	other.record(t, received)
	begun := filepath.Join(t.TempDir(), "begun.yaml")
	mine.begins(t, begun)
	for state, is := range received.states() {
		for name, file := range map[string]string{
			"whole":                 keysOf(t, mine.uid(t), "mine"),
			"not opened yet":        keysOf(t, mine.uid(t), ""),
			"restored to the other": keysOf(t, mine.uid(t), "theirs"),
			"begun":                 begun,
			"at another address":    keysOf(t, "", "", func(k *vault.Keys) { k.Address = "https://vault.lab.other.test" }),
		} {
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for command, c := range commands(file) {
				is()
				_, err := run(t, other.vaultOnly(t, c.options, c.only))
				about := state + ", " + name + ", " + command
				if err == nil || !strings.Contains(err.Error(), file+" holds the keys of the vault at https://vault.lab.") {
					t.Errorf("%s: ended with %v", about, err)
				}
				if after, readErr := os.ReadFile(file); readErr != nil || string(after) != string(before) {
					t.Errorf("%s: the document was changed: %v", about, readErr)
				}
				for _, secret := range hushed {
					if strings.Contains(received.got()+errorText(err), secret) {
						t.Fatalf("%s: %s went out\n%s\n%v", about, secret, received.got(), err)
					}
				}
				if strings.Contains(received.got(), "initialise") || strings.Contains(received.got(), "PUT ") || strings.Contains(received.got(), "remove") {
					t.Fatalf("%s: asked for more than its state:\n%s", about, received.got())
				}
				if c.options.Keys.Opens() {
					t.Errorf("%s: is said to open it", about)
				}
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// begins leaves a key file that was begun at this Vault, which broke off before it answered.
func (l *lab) begins(t *testing.T, file string) {
	t.Helper()
	r := startRecorder(t, "mine")
	l.record(t, r)
	c := commands(file)["vault init"]
	if _, err := run(t, l.vaultOnly(t, c.options, c.only)); err == nil || !strings.Contains(err.Error(), "the connection broke") {
		t.Fatalf("%v", err)
	}
	if keys := readDocument(t, file); keys.State != vault.KeysPending || keys.Cluster != l.uid(t) {
		t.Fatalf("begun: %s %s", keys, keys.Cluster)
	}
}

// A document of before names no cluster. The first step that would use it asks once, and told where the keys go; without an answer
// nothing is sent; and once the keys have opened the Vault the document says which one that is (B1).
func TestB1DocumentThatNamesNoCluster(t *testing.T) {
	for name, c := range map[string]struct {
		sealed  bool
		command string
		asker   engine.ID
	}{
		"sealed, unseal":    {true, "vault unseal", KeysID},
		"sealed, up":        {true, "up", KeysID},
		"open, configure":   {false, "vault configure", rightsID},
		"sealed, configure": {true, "vault configure", KeysID},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, oidc)
			r := startRecorder(t, "ours")
			l.record(t, r)
			r.is(true, c.sealed)
			file := keysOf(t, "", "")
			of := func() engine.Run {
				command := commands(file)[c.command]
				return l.vaultOnly(t, command.options, command.only)
			}
			planned := of()
			plan, err := planned.Plan(t.Context())
			if err != nil || plan.Err() != nil {
				t.Fatal(err, plan.Err())
			}
			var askers []engine.ID
			for _, line := range plan.Steps {
				if risk := line.Change.Risk; risk != "" {
					askers = append(askers, line.ID)
					if !strings.Contains(risk, file) || !strings.Contains(risk, vaultAddress) || !strings.Contains(risk, l.env.Kube.Name()) {
						t.Errorf("%s asks: %s", line.ID, risk)
					}
				}
			}
			if len(askers) != 1 || askers[0] != c.asker {
				t.Fatalf("asked by %v", askers)
			}
			for _, secret := range hushed {
				if strings.Contains(r.got(), secret) {
					t.Fatalf("%s was sent for a plan:\n%s", secret, r.got())
				}
			}
			// Agreed to, as a terminal or --yes does. What comes after the keys does not matter here.
			_ = planned.Apply(t.Context(), plan, engine.Options{Timeout: time.Second})
			if sent := r.got(); !strings.Contains(sent, "share-one") && !strings.Contains(sent, hushed[3]) {
				t.Fatalf("agreed to, and not used:\n%s", sent)
			}
			if keys := readDocument(t, file); keys.Cluster != l.uid(t) || keys.Vault != "ours" {
				t.Fatalf("not completed: cluster %q, vault %q", keys.Cluster, keys.Vault)
			}
			again, err := of().Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range again.Steps {
				if line.Change.Risk != "" {
					t.Errorf("asked again by %s: %s", line.ID, line.Change.Risk)
				}
			}
		})
	}
}

// Where the question only came up while the run went on and nobody agreed to it, nothing is sent.
func TestB1NotAgreedTo(t *testing.T) {
	l := newLab(t, oidc)
	r := startRecorder(t, "ours")
	l.record(t, r)
	r.is(true, true)
	file := keysOf(t, "", "")
	s, err := newSite(t.Context(), l.env, Options{Keys: &Keys{File: file}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.keys.use(t.Context(), s.reached[0]); !errors.Is(err, vault.ErrUnnamed) || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("%v", err)
	}
	s.keys.known.ask(KeysID, "?")
	s.keys.known.give(rightsID)
	if s.keys.known.isGiven() {
		t.Error("one step agreed for another")
	}
}

// A Secret beside Vault is for that Vault, also one of before; one that was copied from another cluster is not.
func TestB1KeysInTheCluster(t *testing.T) {
	for name, c := range map[string]struct{ cluster, fails string }{
		"of before":          {"", ""},
		"of another cluster": {"0000-other", "in another cluster, whose namespace kube-system has the UID 0000-other"},
	} {
		l := newLab(t, oidc)
		r := startRecorder(t, "ours")
		l.record(t, r)
		r.is(true, true)
		text, err := os.ReadFile(keysOf(t, c.cluster, "", func(k *vault.Keys) { k.Address = "https://vault.before.test" }))
		if err != nil {
			t.Fatal(err)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: KeysSecret}, Data: map[string][]byte{keysEntry: text}}
		if _, err := l.cluster.Clientset().CoreV1().Secrets(l.namespace()).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		plan, err := run(t, l.vaultOnly(t, Options{}, Unseals))
		for _, line := range plan.Steps {
			if line.Change.Risk != "" {
				t.Errorf("%s: asked: %s", name, line.Change.Risk)
			}
		}
		if c.fails == "" && (err != nil || !strings.Contains(r.got(), "share-one")) || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(r.got(), "share-")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The keys are said to open a Vault only where that was seen (B3).
func TestB3KeysSaidToOpen(t *testing.T) {
	l := newLab(t, oidc)
	r := startRecorder(t, "ours")
	l.record(t, r)
	for name, c := range map[string]struct {
		sealed bool
		id     string
		opens  bool
		fails  string
	}{
		"open, and named":        {false, "ours", true, ""},
		"open, not opened by it": {false, "", false, ""},
		"open, another":          {false, "theirs", false, "holds the keys of the vault with the cluster_id theirs, and this one has ours"},
		"sealed":                 {true, "ours", false, ""},
	} {
		r.is(true, c.sealed)
		command := commands(keysOf(t, l.uid(t), c.id))["vault init"]
		_, err := run(t, l.vaultOnly(t, command.options, command.only))
		if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: %v", name, err)
		}
		if got := command.options.Keys.Opens(); got != c.opens {
			t.Errorf("%s: said to open it: %v", name, got)
		}
	}
}

// A token in the environment is sent only to the Vault that VAULT_ADDR leads to, or where a person agreed (B5).
func TestB5TokenOfAnotherVault(t *testing.T) {
	const token = "hvs.from-the-environment"
	theirs := startRecorder(t, "theirs")
	theirs.is(true, false)
	closed := startRecorder(t, "ours")
	closed.is(true, true)
	for name, c := range map[string]struct {
		address       func(ours *recorder) string
		asks, another bool
	}{
		"nothing says whose it is":  {func(*recorder) string { return "" }, true, false},
		"another vault's":           {func(*recorder) string { return theirs.URL }, false, true},
		"of one that is sealed":     {func(*recorder) string { return closed.URL }, true, false},
		"of one that is not there":  {func(*recorder) string { return "http://127.0.0.1:1" }, true, false},
		"ours, by another way here": {func(ours *recorder) string { return ours.URL + "/" }, false, false},
	} {
		l := newLab(t, oidc)
		r := startRecorder(t, "ours")
		l.record(t, r)
		r.is(true, false)
		o := Options{Token: vault.NewSecret(token), TokenAddress: c.address(r), Inside: true}
		planned := l.vaultOnly(t, o, engine.Inside(Name))
		plan, err := planned.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := ""
		for _, line := range plan.Steps {
			asked += line.Change.Risk
		}
		if (asked != "") != c.asks || c.asks && (!strings.Contains(asked, "VAULT_ADDR") || !strings.Contains(asked, vaultAddress) || strings.Contains(asked, token)) {
			t.Errorf("%s: asked %q", name, asked)
		}
		if sent := strings.Contains(r.got(), token); sent != (!c.asks && !c.another) {
			t.Errorf("%s: sent for a plan: %v", name, sent)
		}
		err = planned.Apply(t.Context(), plan, engine.Options{Timeout: time.Second})
		if sent := strings.Contains(r.got(), token); sent == c.another {
			t.Errorf("%s: sent: %v", name, sent)
		}
		if c.another && (err == nil || !strings.Contains(err.Error(), "is for the vault at "+theirs.URL)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range []*recorder{theirs, closed} {
		if strings.Contains(r.got(), token) {
			t.Errorf("the vault that was only to be looked at received the token")
		}
	}
}

// A removal cannot ask in its middle: what is inside another's Vault stays, and it is said how it goes (B5).
func TestB5TokenOfARemoval(t *testing.T) {
	for agreed, says := range map[bool]string{false: "set VAULT_ADDR to the address of that one, or agree by --yes", true: ""} {
		r := startRecorder(t, "ours")
		r.is(true, false)
		l := newLab(t, func(c *platform.Config) {
			oidc(c)
			c.Vault.Mode, c.Vault.URL = "external", r.URL
		})
		o := Options{Token: vault.NewSecret("hvs.token"), Removing: true, Agreed: agreed}
		plan, err := l.vaultOnly(t, o, nil).PlanRemoval(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		said := false
		for _, line := range plan.Steps {
			said = said || line.Change.Action == engine.Kept && says != "" && strings.Contains(line.Change.Why, says)
		}
		if said == agreed || strings.Contains(r.got(), "hvs.token") != agreed {
			t.Errorf("agreed %v: said %v, received:\n%s", agreed, said, r.got())
		}
	}
}
