package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
)

// balancer gives addresses to the Services of one API server.
type balancer struct {
	client  *http.Client
	server  string
	address string
}

// service is the part of a Service (v1) that matters here.
type service struct {
	Metadata struct {
		Name, Namespace, ResourceVersion string
	} `json:"metadata"`
	Spec struct {
		Type string `json:"type"`
	} `json:"spec"`
	Status struct {
		LoadBalancer struct {
			Ingress []struct {
				IP string `json:"ip"`
			} `json:"ingress"`
		} `json:"loadBalancer"`
	} `json:"status"`
}

// wanting tells whether the Service is owed an address: it asks for a load balancer and has none.
func (s service) wanting() bool {
	return s.Spec.Type == "LoadBalancer" && len(s.Status.LoadBalancer.Ingress) == 0
}

// follow serves what is there now, then what changes, until the connection ends or a write fails; run then starts over.
func (b *balancer) follow(ctx context.Context) error {
	body, err := b.get(ctx, "/api/v1/services")
	if err != nil {
		return err
	}
	defer body.Close()
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []service
	}
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return err
	}
	for _, s := range list.Items {
		if err := b.give(ctx, s); err != nil {
			return err
		}
	}
	changes, err := b.get(ctx, "/api/v1/services?watch=1&resourceVersion="+list.Metadata.ResourceVersion)
	if err != nil {
		return err
	}
	defer changes.Close()
	return b.watch(ctx, changes)
}

func (b *balancer) watch(ctx context.Context, changes io.Reader) error {
	events := json.NewDecoder(changes)
	for {
		var e struct {
			Type   string
			Object service
		}
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if e.Type != "ADDED" && e.Type != "MODIFIED" {
			continue
		}
		if err := b.give(ctx, e.Object); err != nil {
			return err
		}
	}
}

// give writes the address into the Service's status.
func (b *balancer) give(ctx context.Context, s service) error {
	if !s.wanting() {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{
		"ingress": []any{map[string]string{"ip": b.address}},
	}}})
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/api/v1/namespaces/%s/services/%s/status", s.Metadata.Namespace, s.Metadata.Name)
	body, err := b.do(ctx, http.MethodPatch, path, patch)
	if err != nil {
		return err
	}
	log.Printf("service %s/%s has %s", s.Metadata.Namespace, s.Metadata.Name, b.address)
	return body.Close()
}

func (b *balancer) get(ctx context.Context, path string) (io.ReadCloser, error) {
	return b.do(ctx, http.MethodGet, path, nil)
}

func (b *balancer) do(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "testbed-loadbalancer")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, errors.Join(fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text), resp.Body.Close())
	}
	return resp.Body, nil
}
