package kube

import (
	"bytes"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// settled looks at the answer to a request that was sent again although the first one may have been carried out: nothing left
// to delete, an object that is there already, or one that has changed since it was read, may be our own doing. The object itself
// says whether it is. What cannot be told stays refused, and the step that wrote observes again.
func (t *repeating) settled(r *http.Request, response *http.Response, err error, uncertain bool) (*http.Response, error) {
	if err != nil || !uncertain {
		return response, err
	}
	switch {
	case r.Method == http.MethodDelete && response.StatusCode == http.StatusNotFound:
		return answer(response, http.StatusOK, []byte(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`)), nil
	case r.Method == http.MethodPost && response.StatusCode == http.StatusConflict:
		if sent := creates(r); sent != nil {
			if live := t.live(r, "/"+sent.GetName(), sent); live != nil {
				return answer(response, http.StatusCreated, live), nil
			}
		}
	case r.Method == http.MethodPut && response.StatusCode == http.StatusConflict:
		if sent := body(r); sent != nil {
			if live := t.live(r, "", sent); live != nil {
				return answer(response, http.StatusOK, live), nil
			}
		}
	}
	return response, nil
}

// live reads the object that a write is about, and gives it when it is what was sent.
func (t *repeating) live(r *http.Request, below string, sent *unstructured.Unstructured) []byte {
	read := r.Clone(r.Context())
	read.Method, read.Body, read.GetBody, read.ContentLength = http.MethodGet, nil, nil, 0
	read.Header.Del("Content-Type")
	read.Header.Set("Accept", "application/json")
	read.URL.Path, read.URL.RawPath, read.URL.RawQuery = r.URL.Path+below, "", ""
	response, err := t.RoundTrip(read)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil
	}
	live := &unstructured.Unstructured{}
	if live.UnmarshalJSON(text) != nil || live.GetDeletionTimestamp() != nil || len(Differences(sent, live)) > 0 {
		return nil
	}
	return text
}

func answer(response *http.Response, code int, text []byte) *http.Response {
	header := response.Header.Clone()
	header.Set("Content-Type", "application/json")
	header.Del("Content-Length")
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: response.Proto, ProtoMajor: response.ProtoMajor, ProtoMinor: response.ProtoMinor,
		Header: header, Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)), Request: response.Request,
	}
}

// creates is the object that a request makes; nil when it makes none, or one without a name of its own.
func creates(r *http.Request) *unstructured.Unstructured {
	_, below := apiPath(r.URL.Path)
	if len(below) != 1 && (len(below) != 3 || below[0] != "namespaces") {
		return nil
	}
	if o := body(r); o != nil && o.GetName() != "" {
		return o
	}
	return nil
}

// body is the object that a request sends, in JSON or, if it is of Kubernetes' own kinds, in its binary form; nil when it is
// none.
func body(r *http.Request) *unstructured.Unstructured {
	if r.GetBody == nil {
		return nil
	}
	reader, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil
	}
	o := &unstructured.Unstructured{}
	if o.UnmarshalJSON(text) == nil {
		return o
	}
	typed, kind, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil
	}
	if o.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(typed); err != nil {
		return nil
	}
	o.SetGroupVersionKind(*kind)
	return o
}
