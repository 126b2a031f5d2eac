package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// The IDs of our rules. Rules of any other ID are not ours and stay as they are.
const (
	unfinishedRule = "kubectl-onyxia-unfinished-uploads"
	versionsRule   = "kubectl-onyxia-old-versions"
)

// Lifecycle is the housekeeping of a bucket, as a step.
type Lifecycle struct {
	Client *Client
	Bucket string
	// UnfinishedDays after which the parts of an upload that was never finished are removed; 0 for no such rule. MinIO
	// refuses the rule and does so by itself, after a day (MINIO_API_STALE_UPLOADS_EXPIRY).
	UnfinishedDays int
	// VersionDays after which versions that are not the current one are removed; 0 for no such rule.
	VersionDays int
}

// rules are the ones that we want, by ID, as they stand in the document.
func (l Lifecycle) rules() map[string]string {
	out := map[string]string{}
	if l.UnfinishedDays > 0 {
		out[unfinishedRule] = rule(unfinishedRule, fmt.Sprintf("<AbortIncompleteMultipartUpload><DaysAfterInitiation>%d</DaysAfterInitiation></AbortIncompleteMultipartUpload>", l.UnfinishedDays))
	}
	if l.VersionDays > 0 {
		out[versionsRule] = rule(versionsRule, fmt.Sprintf("<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays></NoncurrentVersionExpiration>", l.VersionDays))
	}
	return out
}

func rule(id, action string) string {
	return fmt.Sprintf("<ID>%s</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>%s", id, action)
}

func ours(id string) bool { return id == unfinishedRule || id == versionsRule }

// SeenLifecycle is what a bucket's lifecycle says: our rules in few words, and those of others.
type SeenLifecycle struct {
	Ours   map[string]string
	others []innerRule
}

// Observe reads the rules.
func (l Lifecycle) Observe(ctx context.Context) (SeenLifecycle, error) {
	rules, err := l.Client.lifecycle(ctx, l.Bucket)
	if err != nil {
		return SeenLifecycle{}, notYet(err, l.Bucket)
	}
	seen := SeenLifecycle{Ours: map[string]string{}}
	for _, r := range rules {
		if ours(r.ID) {
			seen.Ours[r.ID] = r.Inner
			continue
		}
		seen.others = append(seen.others, r)
	}
	return seen, nil
}

// Plan compares our rules only.
func (l Lifecycle) Plan(seen SeenLifecycle) engine.Change {
	want := l.rules()
	var fields []engine.Field
	for _, id := range []string{unfinishedRule, versionsRule} {
		from, to := summary(seen.Ours[id]), summary(want[id])
		if from != to {
			fields = append(fields, engine.Field{Path: id, From: from, To: to})
		}
	}
	if len(fields) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Configure, Fields: fields}
}

// summary says what a rule does, however the server writes it; empty for no rule.
func summary(inner string) string {
	if inner == "" {
		return ""
	}
	var x struct {
		Status     string `xml:"Status"`
		Prefix     string `xml:"Prefix"`
		Filter     string `xml:"Filter>Prefix"`
		Unfinished int    `xml:"AbortIncompleteMultipartUpload>DaysAfterInitiation"`
		Versions   int    `xml:"NoncurrentVersionExpiration>NoncurrentDays"`
		Days       int    `xml:"Expiration>Days"`
	}
	if err := xml.Unmarshal([]byte("<Rule>"+inner+"</Rule>"), &x); err != nil {
		return "unreadable: " + err.Error()
	}
	text := fmt.Sprintf("%s, unfinished uploads after %d days, old versions after %d days", strings.ToLower(x.Status), x.Unfinished, x.Versions)
	if x.Prefix+x.Filter != "" {
		text += ", only under " + x.Prefix + x.Filter
	}
	if x.Days > 0 {
		text += fmt.Sprintf(", objects after %d days", x.Days)
	}
	return text
}

// Apply writes our rules beside those of others.
func (l Lifecycle) Apply(ctx context.Context, seen SeenLifecycle) error {
	return l.write(ctx, seen.others, l.rules())
}

// Remove takes our rules away.
func (l Lifecycle) Remove(ctx context.Context) error {
	seen, err := l.Observe(ctx)
	var gone *engine.NotYetError
	switch {
	case errors.As(err, &gone):
		return nil
	case err != nil:
		return err
	case len(seen.Ours) == 0:
		return nil
	}
	return l.write(ctx, seen.others, nil)
}

func (l Lifecycle) write(ctx context.Context, others []innerRule, wanted map[string]string) error {
	if len(others)+len(wanted) == 0 {
		_, err := l.Client.s3(ctx, "remove lifecycle of", http.MethodDelete, l.Bucket, "", url.Values{"lifecycle": {""}}, nil)
		return err
	}
	err := l.Client.configure(ctx, "set lifecycle of", l.Bucket, "lifecycle", lifecycleDocument(others, wanted))
	if _, asked := wanted[unfinishedRule]; asked && IsCode(err, "InvalidArgument", "MalformedXML") {
		return fmt.Errorf("%w; MinIO takes no rule for unfinished uploads: it removes them by itself after MINIO_API_STALE_UPLOADS_EXPIRY (24h)", err)
	}
	return err
}

func lifecycleDocument(others []innerRule, wanted map[string]string) []byte {
	var b strings.Builder
	b.WriteString(`<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for _, r := range others {
		b.WriteString("<Rule>" + r.Inner + "</Rule>")
	}
	ids := make([]string, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		b.WriteString("<Rule>" + wanted[id] + "</Rule>")
	}
	b.WriteString("</LifecycleConfiguration>")
	return []byte(b.String())
}
