package onyxia

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// TestRealAPIServesTheValues starts Onyxia's real API for each example and compares what it answers with what Served says
// it will. UPSTREAM_API_11 and UPSTREAM_API_4 are the commands that start API v4.12.0 and v0.30, which need a helm on the
// PATH. With -update the answers are kept under testdata/answers, where TestMatchesAnswersOfTheRealAPI reads them.
func TestRealAPIServesTheValues(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			generation, _, _ := strings.Cut(e.name, "-")
			command := os.Getenv("UPSTREAM_API_" + generation)
			if command == "" {
				t.Skipf("NOT COMPARED WITH THE REAL API: UPSTREAM_API_%s is not set to the command that starts it", generation)
			}
			in := e.in(t)
			values := render(t, in)
			issuer := stubIssuer(t)
			answer := askRealAPI(t, command, replaced(t, values, in.Platform.Issuer(), issuer))
			answer = bytes.ReplaceAll(answer, []byte(issuer), []byte(in.Platform.Issuer()))
			if err := Matches(in.ChartVersion, values, answer); err != nil {
				t.Errorf("%v\nthe API answers %s", err, answer)
			}
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", "answers", e.name+".json"), append(answer, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// replaced are the values with another issuer in them, as text for the API's environment.
func replaced(t *testing.T, values map[string]any, old, issuer string) map[string]any {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte(old), []byte(issuer)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// stubIssuer answers the two requests that the API makes at start.
func stubIssuer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":%q,"token_endpoint":%q,"subject_types_supported":["public"],"response_types_supported":["code"],"id_token_signing_alg_values_supported":["RS256"]}`,
			server.URL, server.URL+"/keys", server.URL+"/auth", server.URL+"/token")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// The public key of RFC 7515, appendix A.2.
		fmt.Fprint(w, `{"keys":[{"kty":"RSA","kid":"1","use":"sig","alg":"RS256","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}`)
	})
	return server.URL
}

// askRealAPI starts the API with the variables that the chart's ConfigMap would give it, and waits for its answer.
func askRealAPI(t *testing.T, command string, values map[string]any) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	port := strconv.Itoa(testbed.Port(t))
	regions, err := json.Marshal(part(values, "api")["regions"])
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	process := exec.CommandContext(ctx, "bash", "-c", "exec "+command)
	process.Stdout, process.Stderr = &log, &log
	process.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "JAVA_OPTS=-Xmx300m", "SERVER_ADDRESS=127.0.0.1", "SERVER_PORT=" + port,
		"server.servlet.context-path=/api", "catalogs=[]", "regions=" + string(regions),
	}
	for key, value := range part(values, "api", "env") {
		process.Env = append(process.Env, fmt.Sprintf("%s=%v", key, value))
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	defer func() {
		cancel()
		<-ended
	}()
	for {
		if answer := get(ctx, "http://127.0.0.1:"+port+"/api/public/configuration"); answer != nil {
			return answer
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the API has ended without an answer: %v; its log:\n%s", err, log.String())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, url string) []byte {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	return body
}
