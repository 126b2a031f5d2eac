//go:build e2e

package e2e

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const s3URL = "https://minio.lab.demo.test"

// S3: from a datalab without it to one where each user and each group has a bucket, and nobody gets at another's. The
// upload under "Data Storage" in a real Onyxia is another test's, with ONYXIA=real and a browser. Clocks that differ are
// tried by the tests of pkg/s3: here all programs share one.
func TestS3(t *testing.T) {
	b := bed(t)
	b.without("minio")
	b.stand("tls", "auth", "app")
	b.s3FromNothing()

	t.Run("the second run writes nothing", b2(t, (testbed).s3Again))
	t.Run("own bucket, group bucket, nobody else's", b2(t, (testbed).s3Users))
	t.Run("an upload through the ingress", b2(t, (testbed).s3Upload))
	t.Run("expired, removed by hand, issuer down, restarted", b2(t, (testbed).s3Trouble))
	t.Run("a killed proof leaves nothing", b2(t, (testbed).s3Killed))
	t.Run("no secret anywhere", b2(t, (testbed).s3Secrets))
	t.Run("the volume survives", b2(t, (testbed).s3Reinstalled))
}

// shown are the lines of a proof.
func shown(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{
		"token for [minio account] exchanged for credentials", "wrote, read and listed in s3://user-onyxia-s3-proof-",
		"refused at s3://user-onyxia-s3-proof-", "wrote, read and listed in s3://projet-onyxia-s3-proof-group as a member",
		"refused at s3://projet-onyxia-s3-proof-group", "a token that anybody could sign is refused",
		"forged claims in requests: refused (403)", "removed what was made in s3://user-onyxia-s3-proof-",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the proof does not say %q", want)
		}
	}
}

func (b testbed) s3FromNothing() {
	t := b.t.(*testing.T)
	early := b.onyxia("s3", "configure")
	if early.code != 1 || !strings.Contains(early.stderr, b.call("s3 install")) {
		t.Errorf("configured before it is installed: exit code %d\n%s", early.code, early.stderr)
	}
	install := b.onyxia("s3", "install").ok(t)
	t.Logf("s3 install: %s\n%s", install.took.Round(time.Millisecond), install.stdout)
	for _, want := range []string{"release.helm/minio created", "client.keycloak/onyxia-minio created", "policy.s3/stsonly created", "proof.s3/onyxia created", "release.helm/onyxia configured"} {
		if !strings.Contains(install.stdout, want) {
			t.Errorf("install does not say %q", want)
		}
	}
	configure := b.onyxia("s3", "configure").ok(t)
	t.Logf("s3 configure: %s\n%s", configure.took.Round(time.Millisecond), configure.stdout)
	shown(t, configure.stdout)
	served := b.configuration()
	for _, want := range []string{`"URL":"` + s3URL + `"`, `"clientID":"onyxia-minio"`, `"durationSeconds":86400`, `s3://user-$1/`, `s3://projet-$1/`} {
		if !strings.Contains(served, want) {
			t.Errorf("Onyxia was not told %s: %s", want, served)
		}
	}
}

// s3Again: install writes to nobody, configure to the API server neither; its proof comes and goes in Keycloak and MinIO.
func (b testbed) s3Again() {
	t := b.t.(*testing.T)
	events, before := b.adminEvents(), b.revisions()
	writes := b.writes(func() { b.onyxia("s3", "install").ok(t) })
	if after := b.adminEvents(); after != events {
		t.Errorf("admin events of Keycloak: %d before, %d after", events, after)
	}
	var again result
	writes = append(writes, b.writes(func() { again = b.onyxia("s3", "configure").ok(t) })...)
	if len(writes) > 0 {
		t.Errorf("writes:\n%s", strings.Join(writes, "\n"))
	}
	if strings.Join(before, " ") != strings.Join(b.revisions(), " ") {
		t.Error("there is a new Helm revision")
	}
	for _, line := range lines(again.stdout) {
		if (strings.HasSuffix(line, " created") || strings.HasSuffix(line, " configured")) && !strings.HasPrefix(line, "proof.s3/") {
			t.Errorf("the second configure says %q", line)
		}
	}
	shown(t, again.stdout)
	b.s3Clean()
}

// s3Clean looks for what proofs make.
func (b testbed) s3Clean() {
	t := b.t.(*testing.T)
	if users := b.kcadm("GET", "/users?search=onyxia-s3-proof-", ""); users != "[]" {
		t.Errorf("users of a proof are left: %s", users)
	}
	if clients := b.kcadm("GET", "/clients?clientId=onyxia-s3-proof-client", ""); clients != "[]" {
		t.Errorf("the client of a proof is left: %s", clients)
	}
	out, err := b.mc(b.s3Root(), "ls", "lab")
	if err != nil || strings.Contains(out, "onyxia-s3-proof-") {
		t.Errorf("buckets of a proof are left: %v\n%s", err, out)
	}
}

// s3Keys are credentials for S3.
type s3Keys struct {
	Access  string `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	Secret  string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	Session string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
}

func (b testbed) s3Root() s3Keys {
	b.t.Helper()
	return s3Keys{Access: b.secret("minio", "minio-root", "rootUser"), Secret: b.secret("minio", "minio-root", "rootPassword")}
}

// mc runs MinIO's own client at the public address, as alias "lab".
func (b testbed) mc(k s3Keys, args ...string) (string, error) {
	b.t.Helper()
	return b.mcAt(s3URL, k, args...)
}

func (b testbed) mcAt(address string, k s3Keys, args ...string) (string, error) {
	b.t.Helper()
	login := k.Access + ":" + k.Secret
	if k.Session != "" {
		login += ":" + k.Session
	}
	host := strings.Replace(address, "://", "://"+login+"@", 1)
	cmd := b.command(filepath.Join(b.root, "testbed", "exec"), append([]string{"mc", "--config-dir", b.t.TempDir(), "--disable-pager"}, args...)...)
	cmd.Env = append(cmd.Env, "MC_HOST_lab="+host, "SSL_CERT_FILE="+b.run("acme-root.pem"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sts buys credentials with a token, as a browser would.
func (b testbed) sts(token string) (s3Keys, string) {
	b.t.Helper()
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "DurationSeconds": {"3600"}, "WebIdentityToken": {token}}
	answer := b.curl(s3URL+"/", "-d", form.Encode())
	var k s3Keys
	if err := xml.Unmarshal([]byte(answer), &k); err != nil {
		b.t.Fatalf("STS: %v\n%s", err, answer)
	}
	return k, answer
}

const s3Password = "correct horse 1"

// s3Login gives a user's credentials.
func (b testbed) s3Login(user string) s3Keys {
	b.t.Helper()
	k, answer := b.sts(b.tokenOf("datalab", "e2e-s3", user, s3Password))
	if k.Access == "" {
		b.t.Fatalf("no credentials for %s: %s", user, answer)
	}
	return k
}

// s3Mappers make tokens like those of Onyxia's own client for S3, which takes no passwords.
func s3Mappers() string {
	mapper := func(kind, config string) string {
		return fmt.Sprintf(`{"name": %q, "protocol": "openid-connect", "protocolMapper": %q, "config": %s}`, kind, kind, config)
	}
	return "[" + strings.Join([]string{
		mapper("oidc-hardcoded-role-mapper", `{"role": "minio.stsonly"}`),
		mapper("oidc-usermodel-client-role-mapper", `{"usermodel.clientRoleMapping.clientId": "minio", "claim.name": "policy", "multivalued": "true", "jsonType.label": "String", "access.token.claim": "true"}`),
		mapper("oidc-audience-mapper", `{"included.client.audience": "minio", "access.token.claim": "true"}`),
	}, ",") + "]"
}

// s3Users: two users and two groups that were made by hand; one leaves hers.
func (b testbed) s3Users() {
	t := b.t.(*testing.T)
	b.onyxia("auth", "group", "add", "e2e-team").ok(t)
	b.onyxia("auth", "group", "add", "e2e-others").ok(t)
	if configured := b.onyxia("s3", "configure").ok(t); !strings.Contains(configured.stdout, "groups.s3/realm configured") {
		t.Errorf("the groups are not taken up:\n%s", configured.stdout)
	}
	b.kcadm("POST", "/clients", `{"clientId": "e2e-s3", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": `+s3Mappers()+`}`)
	b.kcadm("POST", "/clients", `{"clientId": "e2e-s3-short", "publicClient": true, "directAccessGrantsEnabled": true, "attributes": {"access.token.lifespan": "1"}, "protocolMappers": `+s3Mappers()+`}`)
	for user, groups := range map[string]string{"e2e-ana": `["e2e-team"]`, "e2e-bob": `["e2e-others"]`} {
		b.kcadm("POST", "/users", fmt.Sprintf(`{"username": %q, "enabled": true, "emailVerified": true, "email": "%s@demo.test", "firstName": "E", "lastName": "E",
			"credentials": [{"type": "password", "value": %q, "temporary": false}], "groups": %s}`, user, user, s3Password, groups))
	}
	file := filepath.Join(t.TempDir(), "hello.txt")
	if err := os.WriteFile(file, []byte("written by e2e"), 0o600); err != nil {
		t.Fatal(err)
	}
	ana, bob := b.s3Login("e2e-ana"), b.s3Login("e2e-bob")
	for _, own := range []struct {
		k      s3Keys
		bucket string
	}{{ana, "user-e2e-ana"}, {ana, "projet-e2e-team"}, {bob, "user-e2e-bob"}, {bob, "projet-e2e-others"}} {
		for _, args := range [][]string{{"mb", "--ignore-existing", "lab/" + own.bucket}, {"cp", file, "lab/" + own.bucket + "/hello.txt"}, {"cat", "lab/" + own.bucket + "/hello.txt"}} {
			if out, err := b.mc(own.k, args...); err != nil {
				t.Errorf("mc %v: %v\n%s", args, err, out)
			}
		}
	}
	refused := func(who string, k s3Keys, bucket string) {
		for _, args := range [][]string{{"cat", "lab/" + bucket + "/hello.txt"}, {"cp", file, "lab/" + bucket + "/theirs.txt"}, {"ls", "lab/" + bucket}, {"rm", "lab/" + bucket + "/hello.txt"}} {
			if out, err := b.mc(k, args...); err == nil || !strings.Contains(out, "Access Denied") && !strings.Contains(out, "Insufficient permissions") {
				t.Errorf("%s: mc %v is not refused: %v\n%s", who, args, err, out)
			}
		}
	}
	refused("ana", ana, "user-e2e-bob")
	refused("ana", ana, "projet-e2e-others")
	refused("bob", bob, "user-e2e-ana")
	refused("bob", bob, "projet-e2e-team")
	b.leave("e2e-ana", "e2e-team")
	left := b.s3Login("e2e-ana")
	refused("ana, who has left", left, "projet-e2e-team")
	if out, err := b.mc(left, "cat", "lab/user-e2e-ana/hello.txt"); err != nil || out != "written by e2e" {
		t.Errorf("ana's own bucket, after she has left: %v\n%s", err, out)
	}
}

// uploadSize is what a browser sends in parts.
const uploadSize = 200 << 20

// s3Upload sends the same file to the pod and through the ingress, in turn, and compares the best of each.
func (b testbed) s3Upload() {
	t := b.t.(*testing.T)
	file := filepath.Join(t.TempDir(), "large")
	// by chance, so that nothing on the way can make it smaller
	content := make([]byte, uploadSize)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	k := b.s3Login("e2e-ana")
	pod := "http://" + b.in("kubectl", "-n", "minio", "get", "service", "minio", "-o", "jsonpath={.spec.clusterIP}") + ":9000"
	best := map[string]time.Duration{}
	ratio := func() float64 { return best["pod"].Seconds() / best["ingress"].Seconds() }
	// what else the machine does slows single uploads, so it is tried on for a while before the ingress is blamed
	for round, from := 0, time.Now(); round < 5 || time.Since(from) < 5*time.Minute && ratio() < 0.8; round++ {
		for name, address := range map[string]string{"pod": pod, "ingress": s3URL} {
			began := time.Now()
			if out, err := b.mcAt(address, k, "cp", "--quiet", file, "lab/user-e2e-ana/large"); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			if took := time.Since(began); best[name] == 0 || took < best[name] {
				best[name] = took
			}
		}
	}
	t.Logf("200 MiB: %s to the pod, %s through the ingress; %.2f of its speed", best["pod"].Round(time.Millisecond), best["ingress"].Round(time.Millisecond), ratio())
	if ratio() < 0.8 {
		t.Errorf("an upload through the ingress has %.2f of the speed to the pod", ratio())
	}
	// the ETag of an object that came in parts ends in their number
	out, err := b.mc(k, "stat", "--json", "lab/user-e2e-ana/large")
	if err != nil || !regexp.MustCompile(`"etag": ?"[0-9a-f]+-[0-9]+"`).MatchString(out) || !strings.Contains(out, fmt.Sprint(uploadSize)) {
		t.Errorf("it did not come in parts, or not whole: %v\n%s", err, out)
	}
	if out, err := b.mc(k, "rm", "lab/user-e2e-ana/large"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// s3Trouble: each is said in words, and configure mends what is ours.
func (b testbed) s3Trouble() {
	t := b.t.(*testing.T)
	short := b.tokenOf("datalab", "e2e-s3-short", "e2e-ana", s3Password)
	var answer string
	for deadline := time.Now().Add(time.Minute); !strings.Contains(answer, "expired") && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		_, answer = b.sts(short)
	}
	if !strings.Contains(answer, "expired") {
		t.Errorf("an expired token: %s", answer)
	}

	if out, err := b.mc(b.s3Root(), "admin", "policy", "remove", "lab", "stsonly"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := b.onyxia("diff", "s3"); diff.code != 2 || !strings.Contains(diff.stdout, `policy.s3/stsonly create: MinIO has no policy "stsonly"`) {
		t.Errorf("exit code %d\n%s", diff.code, diff.stdout)
	}
	mended := b.onyxia("s3", "configure").ok(t)
	if !strings.Contains(mended.stdout, "policy.s3/stsonly created") {
		t.Errorf("configure says\n%s", mended.stdout)
	}

	b.in("kubectl", "-n", "keycloak", "scale", "statefulset/keycloak", "--replicas=0")
	b.in("kubectl", "-n", "keycloak", "wait", "pod/keycloak-0", "--for=delete", "--timeout=120s")
	b.in("kubectl", "-n", "minio", "rollout", "restart", "deployment/minio")
	b.in("kubectl", "-n", "minio", "rollout", "status", "deployment/minio", "--timeout=120s")
	// its pod has no probe: it counts as ready before the server listens
	down := b.says("waits for its OpenID provider", "s3", "status")
	if down.code == 0 || !strings.Contains(down.stdout+down.stderr, "waits for its OpenID provider") {
		t.Errorf("Keycloak is down: exit code %d\n%s%s", down.code, down.stdout, down.stderr)
	}
	refused := b.onyxia("s3", "configure", "--timeout", "20s")
	if refused.code == 0 || !strings.Contains(refused.stderr, "no answer from Keycloak at ") || !strings.Contains(refused.stderr, "no pod to reach keycloak/keycloak-http") {
		t.Errorf("configured without Keycloak: exit code %d\n%s%s", refused.code, refused.stdout, refused.stderr)
	}
	b.in("kubectl", "-n", "keycloak", "scale", "statefulset/keycloak", "--replicas=1")
	b.in("kubectl", "-n", "keycloak", "rollout", "status", "statefulset/keycloak", "--timeout=300s")
	// MinIO asks for its issuer now and then, and loads its policies after that; configure waits for it
	shown(t, b.onyxia("s3", "configure").ok(t).stdout)
	b.s3Login("e2e-bob")
}

// s3Killed: Ctrl-C leaves nothing behind by itself, at whatever line; what a kill leaves the next proof removes.
func (b testbed) s3Killed() {
	t := b.t.(*testing.T)
	lines := []string{"exchanged for credentials", "wrote, read and listed", "as a member of", "forged claims"}
	for _, line := range lines {
		b.signaled(syscall.SIGINT, line, "s3", "configure")
		b.s3Clean()
	}
	for _, line := range lines {
		b.signaled(syscall.SIGKILL, line, "s3", "configure")
	}
	b.onyxia("s3", "configure").ok(t)
	b.s3Clean()
}

// s3Secrets looks for MinIO's secrets in whatever others may read.
func (b testbed) s3Secrets() {
	t := b.t.(*testing.T)
	configured := b.onyxia("s3", "configure").ok(t)
	places := map[string]string{
		"ConfigMaps": b.in("kubectl", "get", "configmap", "-A", "-o", "yaml"),
		"workloads":  b.in("kubectl", "get", "pods,statefulsets,deployments", "-A", "-o", "yaml"),
		"releases":   b.releases(),
		"events":     b.in("kubectl", "get", "events", "-A", "-o", "yaml"),
		"MinIO log":  b.in("kubectl", "-n", "minio", "logs", "deployment/minio"),
		"output":     configured.stdout + configured.stderr,
		"status":     b.onyxia("s3", "status", "-o", "json").stdout,
		"app values": b.onyxia("app", "values").stdout,
		"region":     b.configuration(),
	}
	for name, value := range map[string]string{"root password": b.s3Root().Secret, "client secret": b.secret("minio", "minio-oidc", "clientSecret")} {
		for place, text := range places {
			if text == "" || len(value) < 16 || strings.Contains(text, value) {
				t.Errorf("%s in %s (or nothing was read there)", name, place)
			}
		}
	}
}

// s3Reinstalled: an uninstall keeps the volume, and a new install finds the files again.
func (b testbed) s3Reinstalled() {
	t := b.t.(*testing.T)
	away := b.onyxia("s3", "uninstall", "--yes").ok(t)
	for _, want := range []string{"persistentvolumeclaim/minio-data kept", "secret/minio-root kept", "release.helm/minio deleted"} {
		if !strings.Contains(away.stdout, want) {
			t.Errorf("uninstall lacks %q:\n%s", want, away.stdout)
		}
	}
	if served := b.configuration(); strings.Contains(served, s3URL) {
		t.Errorf("Onyxia still knows of S3: %s", served)
	}
	b.onyxia("s3", "install").ok(t)
	out, err := b.mc(b.s3Login("e2e-bob"), "cat", "lab/user-e2e-bob/hello.txt")
	if err != nil || out != "written by e2e" {
		t.Errorf("after the reinstall: %v\n%s", err, out)
	}
	if away := b.onyxia("diff", "s3"); away.code != 0 {
		t.Errorf("after the reinstall diff ends with %d\n%s", away.code, away.stdout)
	}
}
