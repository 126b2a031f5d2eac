package s3

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// versionsRule is the ID of our rule. Rules of any other ID are not ours and stay as they are. There is none for uploads that
// were never finished: MinIO refuses it, and removes those by itself, after a day (MINIO_API_STALE_UPLOADS_EXPIRY).
const versionsRule = "kubectl-onyxia-old-versions"

// Lifecycle is the housekeeping of a bucket, as a step.
type Lifecycle struct {
	Client *Client
	Bucket string
	// VersionDays after which versions that are not the current one are removed; 0 for never.
	VersionDays int
}

// rule is the one that we want, as it stands in the document; empty for none.
func (l Lifecycle) rule() string {
	if l.VersionDays <= 0 {
		return ""
	}
	return fmt.Sprintf("<ID>%s</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays></NoncurrentVersionExpiration>", versionsRule, l.VersionDays)
}

// LifecycleSeen is what a bucket's lifecycle says: our rule, empty for none, and those of others.
type LifecycleSeen struct {
	Ours   string
	others []innerRule
}

// Observe reads the rules.
func (l Lifecycle) Observe(ctx context.Context) (LifecycleSeen, error) {
	rules, err := l.Client.lifecycle(ctx, l.Bucket)
	if err != nil {
		return LifecycleSeen{}, notYet(err, l.Bucket)
	}
	var seen LifecycleSeen
	for _, r := range rules {
		if r.ID == versionsRule {
			seen.Ours = r.Inner
			continue
		}
		seen.others = append(seen.others, r)
	}
	return seen, nil
}

// Plan compares our rule only.
func (l Lifecycle) Plan(seen LifecycleSeen) engine.Change {
	from, to := summary(seen.Ours), summary(l.rule())
	if from == to {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: versionsRule, From: from, To: to}}}
}

// summary says what a rule does, however the server writes it; empty for no rule.
func summary(inner string) string {
	if inner == "" {
		return ""
	}
	var x struct {
		Status   string `xml:"Status"`
		Prefix   string `xml:"Prefix"`
		Filter   string `xml:"Filter>Prefix"`
		Versions int    `xml:"NoncurrentVersionExpiration>NoncurrentDays"`
		Days     int    `xml:"Expiration>Days"`
	}
	if err := xml.Unmarshal([]byte("<Rule>"+inner+"</Rule>"), &x); err != nil {
		return "unreadable: " + err.Error()
	}
	text := fmt.Sprintf("%s, old versions after %d days", strings.ToLower(x.Status), x.Versions)
	if x.Prefix+x.Filter != "" {
		text += ", only under " + x.Prefix + x.Filter
	}
	if x.Days > 0 {
		text += fmt.Sprintf(", objects after %d days", x.Days)
	}
	return text
}

// Apply writes our rule beside those of others, or takes it away.
func (l Lifecycle) Apply(ctx context.Context, seen LifecycleSeen) error {
	rules := make([]string, 0, len(seen.others)+1)
	for _, r := range seen.others {
		rules = append(rules, r.Inner)
	}
	if ours := l.rule(); ours != "" {
		rules = append(rules, ours)
	}
	if len(rules) == 0 {
		_, err := l.Client.s3(ctx, "remove lifecycle of", http.MethodDelete, l.Bucket, "", url.Values{"lifecycle": {""}}, nil)
		return err
	}
	return l.Client.configure(ctx, "set lifecycle of", l.Bucket, "lifecycle", lifecycleDocument(rules))
}

func lifecycleDocument(rules []string) []byte {
	return []byte(`<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>` + strings.Join(rules, "</Rule><Rule>") + "</Rule></LifecycleConfiguration>")
}
