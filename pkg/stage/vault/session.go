package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// renewal is how long a session is used. Its token lives for vault.SessionTime and cannot be renewed, so a run that
// lasts longer takes a new one.
const renewal = vault.SessionTime * 2 / 3

// session is the one that all steps inside Vault share.
type session struct {
	// seek opens one where that needs no key. A removal asks no other step before it asks those inside Vault.
	seek func(context.Context) error
	// seeking is held while one is sought, for the steps that are asked at the same time.
	seeking sync.Mutex
	// missing is why none was found.
	missing error

	mu     sync.Mutex
	sought bool
	open   *vault.Session
	since  time.Time
	again  func(context.Context) (*vault.Session, error)
}

// use hands a session over, and how to get another.
func (s *session) use(open *vault.Session, again func(context.Context) (*vault.Session, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.since, s.again = open, time.Now(), again
}

// client has the session's rights. Without a session it is known after the step that opens one.
func (s *session) client(ctx context.Context) (*vault.Client, error) {
	missing := s.find(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil && missing != nil {
		return nil, missing
	}
	if s.open == nil {
		return nil, &engine.NotYetError{After: rightsID}
	}
	if time.Since(s.since) > renewal {
		open, err := s.again(ctx)
		if err != nil {
			return nil, err
		}
		s.open, s.since = open, time.Now()
	}
	return s.open.Client, nil
}

// find seeks a session where nobody has yet, and gives why there is none.
func (s *session) find(ctx context.Context) error {
	s.seeking.Lock()
	defer s.seeking.Unlock()
	if s.first() {
		s.missing = s.seek(ctx)
	}
	return s.missing
}

// first tells, once, that nobody has looked for a session yet.
func (s *session) first() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.sought && s.open == nil && s.seek != nil
	s.sought = true
	return first
}

// stands tells whether there is one.
func (s *session) stands() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open != nil
}

// close revokes its token. Those of the realm's service account end by themselves.
func (s *session) close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return nil
	}
	err := s.open.Close(ctx)
	s.open = nil
	return err
}

// Sessions are what the runs of one command opened in Vault. The command closes them however it ends; one that stays open,
// because the command was killed, ends by itself after vault.SessionTime.
type Sessions struct {
	mu   sync.Mutex
	list []*session
}

func (s *Sessions) add(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, one)
}

// Close revokes their tokens.
func (s *Sessions) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, one := range s.list {
		errs = append(errs, one.close(ctx))
	}
	s.list = nil
	return errors.Join(errs...)
}
