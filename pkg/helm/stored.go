package helm

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// maxRecord bounds a release unpacked; a Secret holds 1 MiB packed.
const maxRecord = 64 << 20

// Stored is the newest revision of a release as Helm recorded it.
type Stored struct {
	Name, Namespace string
	Revision        int
	// Status is Helm's word: deployed, failed, pending-upgrade, uninstalled and so on.
	Status string
	// Description is Helm's last sentence on it: why an upgrade failed.
	Description  string
	ChartName    string
	ChartVersion string
	// ChartSHA256 is the label's value: the first 63 hex digits. Empty if there is no such label.
	ChartSHA256 string
	// Party is who installed it, if that was not this datalab.
	Party string
	// Adopted is set when this datalab took it over.
	Adopted bool
	Values  map[string]any
	// Manifest is what Helm applied, without hooks and without crds/.
	Manifest string
	// CRDs are the names of the CustomResourceDefinitions in the chart's crds/ directory.
	CRDs []string
}

// record is the part of Helm's release object that a decision needs. Leaving the templates out makes decoding cheap.
type record struct {
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	Version   int            `json:"version"`
	Config    map[string]any `json:"config"`
	Manifest  string         `json:"manifest"`
	Info      struct {
		Status      string `json:"status"`
		Description string `json:"description"`
	} `json:"info"`
	Chart struct {
		Metadata struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"metadata"`
		Files []struct {
			Name string `json:"name"`
			// Data is base64; most files are never looked into.
			Data string `json:"data"`
		} `json:"files"`
	} `json:"chart"`
}

// decode unpacks a release Secret: base64 (once more than Kubernetes does), gzip, JSON.
func decode(secret *corev1.Secret) (*Stored, error) {
	r, err := unpack(secret.Data["release"])
	if err != nil {
		return nil, fmt.Errorf("release secret %s/%s cannot be read: %w; look at it with `helm -n %s history %s`",
			secret.Namespace, secret.Name, err, secret.Namespace, secret.Labels["name"])
	}
	stored := &Stored{
		Name: r.Name, Namespace: r.Namespace, Revision: r.Version,
		Status: r.Info.Status, Description: r.Info.Description,
		ChartName: r.Chart.Metadata.Name, ChartVersion: r.Chart.Metadata.Version,
		ChartSHA256: secret.Labels[labelChartSHA256],
		Adopted:     secret.Labels[labelAdopted] != "",
		Values:      r.Config, Manifest: r.Manifest,
	}
	for _, f := range r.Chart.Files {
		if !isCRDFile(f.Name) {
			continue
		}
		text, err := base64.StdEncoding.DecodeString(f.Data)
		if err != nil {
			return nil, fmt.Errorf("release secret %s/%s: chart file %s: %w", secret.Namespace, secret.Name, f.Name, err)
		}
		stored.CRDs = append(stored.CRDs, crdNames(text)...)
	}
	slices.Sort(stored.CRDs)
	return stored, nil
}

func unpack(data []byte) (*record, error) {
	packed, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return nil, err
	}
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(zipped, maxRecord+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxRecord {
		return nil, tooLarge(maxRecord)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// shortDigest is a sha256 cut to a label's length.
func shortDigest(sha256 string) string {
	if len(sha256) > maxLabelValue {
		return sha256[:maxLabelValue]
	}
	return sha256
}
