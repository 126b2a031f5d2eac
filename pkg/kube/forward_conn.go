package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// upgrade opens the link that carries all connections to one pod: SPDY in a WebSocket, or plain SPDY where the API
// server or a proxy before it has no WebSockets, as kubectl port-forward does it.
func (c *Client) upgrade(ctx context.Context, namespace, pod string) (httpstream.Connection, error) {
	url := c.Clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	plain := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	tunneled, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, c.Config)
	if err != nil {
		return nil, err
	}
	dialer := portforward.NewFallbackDialerForStreaming(tunneled, plain, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fmt.Errorf("the API server did not open it within %s", requestTime))
	defer cancel()
	type result struct {
		link httpstream.Connection
		err  error
	}
	// The dialer knows no context, so it is left behind when ours ends.
	dialed := make(chan result, 1)
	go func() {
		link, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		dialed <- result{link, err}
	}()
	select {
	case r := <-dialed:
		return r.link, r.err
	case <-ctx.Done():
		go func() {
			if r := <-dialed; r.err == nil {
				_ = r.link.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// forwarded is one connection. Its near end is a pipe, which knows deadlines; the far end's complaint becomes the error
// of the next Read or Write.
type forwarded struct {
	net.Conn
	mu   sync.Mutex
	said error
}

// Read gives the far end's own words in place of a bare end of file.
func (f *forwarded) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	return n, f.reason(err)
}

// Write gives the far end's own words in place of a closed pipe.
func (f *forwarded) Write(b []byte) (int, error) {
	n, err := f.Conn.Write(b)
	return n, f.reason(err)
}

func (f *forwarded) reason(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.said != nil {
		return f.said
	}
	return err
}

func (f *forwarded) blame(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = err
}

// connect opens a pair of streams in the link, one for data and one for what goes wrong. The caller holds the mutex.
func (t *Tunnel) connect(l *link) (net.Conn, error) {
	t.next++
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(l.to.port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(t.next))
	failure, err := l.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	// Nothing is sent on it.
	if err := failure.Close(); err != nil {
		return nil, err
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := l.CreateStream(headers)
	if err != nil {
		l.RemoveStreams(failure)
		return nil, err
	}
	near, far := net.Pipe()
	conn := &forwarded{Conn: near}
	l.uses++
	go t.carry(l, conn, far, data, failure)
	return conn, nil
}

// linger is how long the far end may go on after the near end was closed.
const linger = 5 * time.Second

// carry copies both ways until both are at their end.
func (t *Tunnel) carry(l *link, conn *forwarded, far net.Conn, data, failure httpstream.Stream) {
	var both sync.WaitGroup
	var lingering *time.Timer
	both.Go(func() {
		// What ends the near end is its Close; what happened to the far end is told by the failure stream.
		_, _ = io.Copy(data, far)
		_ = data.Close()
		lingering = time.AfterFunc(linger, func() { _ = data.Reset() })
	})
	both.Go(func() {
		_, _ = io.Copy(far, data)
		// What was sent and not yet taken would hold up the failure stream.
		_ = data.Reset()
		said := complaint(failure, l)
		if said != "" {
			conn.blame(fmt.Errorf("forward to %s: %s", t, said))
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if said != "" {
			t.replace(l)
		}
		_ = far.Close()
	})
	both.Wait()
	lingering.Stop()
	l.RemoveStreams(data, failure)
	t.mu.Lock()
	defer t.mu.Unlock()
	l.uses--
	t.release(l)
}

// complaintTime is how long the far end may take to say why it ended a connection.
const complaintTime = 10 * time.Second

// complaint is what the far end says went wrong; empty when it ended the connection in order.
func complaint(failure httpstream.Stream, l *link) string {
	said := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(failure, 4096))
		if err != nil && len(b) == 0 {
			b = []byte("the connection to the pod broke")
		}
		said <- oneLine(string(b))
	}()
	timer := time.NewTimer(complaintTime)
	defer timer.Stop()
	select {
	case s := <-said:
		return s
	case <-l.CloseChan():
		return "the connection to the pod broke"
	case <-timer.C:
		_ = failure.Reset()
		return ""
	}
}
