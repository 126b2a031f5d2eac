package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Keeper keeps the one document of keys. What it has taken survives a crash of the machine it is on.
type Keeper interface {
	// Create keeps a first document. If there is one already it fails with an error matching fs.ErrExist and changes nothing.
	Create(ctx context.Context, document []byte) error
	// Read gives the document. If there is none the error matches fs.ErrNotExist.
	Read(ctx context.Context) ([]byte, error)
	// Replace puts another in its place: after a crash either the old or the new one is there, whole.
	Replace(ctx context.Context, document []byte) error
	// String says where, for messages.
	String() string
}

// KeyFile is a Keeper on the local disk, with mode 0600. A link stays one: what it leads to is read and replaced.
type KeyFile struct{ Path string }

// String is the path.
func (f KeyFile) String() string { return f.Path }

// Create writes the document beside its place, syncs it, and links it there, which fails if the name is taken. A
// half-written file can thus never stand at the path.
func (f KeyFile) Create(_ context.Context, document []byte) error {
	if _, err := os.Lstat(f.Path); err == nil {
		return fmt.Errorf("key file %s: %w; it is never overwritten: move it away or name another", f.Path, fs.ErrExist)
	}
	return f.place(document, os.Link)
}

// Replace writes the document beside its place, syncs it, and renames it there.
func (f KeyFile) Replace(_ context.Context, document []byte) error {
	target, err := f.target()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return target.place(document, os.Rename)
}

// target is the file itself. One that is not there and a link to what is not there are two things: the latter may be on a disk
// that is not mounted.
func (f KeyFile) target() (KeyFile, error) {
	path, err := filepath.EvalSymlinks(f.Path)
	if err == nil {
		return KeyFile{path}, nil
	}
	if _, linkErr := os.Lstat(f.Path); linkErr == nil {
		return f, fmt.Errorf("key file %s: is a link to what is not there; bring that back (is its disk mounted?), or name another file", f.Path)
	}
	return f, fmt.Errorf("key file: %w", err)
}

// Read reads it, unless others than the owner may.
func (f KeyFile) Read(context.Context) ([]byte, error) {
	target, err := f.target()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(target.Path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s: is not a file", f.Path)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && os.PathSeparator == '/' {
		return nil, fmt.Errorf("key file %s: others may read it (mode %#o); chmod 600 %s, and if this machine has other users, take the keys for known to them", f.Path, info.Mode().Perm(), f.Path)
	}
	text, err := os.ReadFile(target.Path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("key file %s: is empty; bring back your copy of it, or name another file", f.Path)
	}
	return text, nil
}

func (f KeyFile) place(document []byte, put func(from, to string) error) (err error) {
	beside, err := writeSynced(f.Path, document)
	if err != nil {
		return fmt.Errorf("key file %s: %w; choose a folder that you may write to", f.Path, err)
	}
	defer func() {
		if removeErr := os.Remove(beside); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	if err := put(beside, f.Path); err != nil {
		return fmt.Errorf("key file %s: %w; choose a folder on a local disk, in which the name is free", f.Path, err)
	}
	if err := errors.Join(syncFolder(filepath.Dir(f.Path)), f.sweep()); err != nil {
		return fmt.Errorf("key file %s: %w", f.Path, err)
	}
	return nil
}

// leftOver is when a document beside its place belongs to no run that is still writing it.
const leftOver = time.Hour

// sweep removes what runs that were killed left beside the file: there may be keys in it.
func (f KeyFile) sweep() error {
	folder, base := filepath.Dir(f.Path), filepath.Base(f.Path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "."+base+".") || !strings.HasSuffix(entry.Name(), ".new") {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > leftOver {
			errs = append(errs, os.Remove(filepath.Join(folder, entry.Name())))
		}
	}
	return errors.Join(errs...)
}

// writeSynced writes the document beside a path, with mode 0600 and a name of its own: with one that two runs shared, the
// one could put the other's document into its place.
func writeSynced(path string, document []byte) (beside string, err error) {
	w, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.new")
	if err != nil {
		return "", err
	}
	_, err = w.Write(document)
	if err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return "", errors.Join(err, os.Remove(w.Name()))
	}
	return w.Name(), nil
}

// syncFolder makes a new name in the folder durable. Windows cannot sync a folder, and needs not.
func syncFolder(path string) error {
	if os.PathSeparator != '/' {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
