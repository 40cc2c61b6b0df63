package intake

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"brine/access/private"
)

const (
	minKeyBytes = 32
	maxKeyBytes = 4096
)

// LoadCSRFKey reads the key that CSRF tokens are signed with: the file's text without a final
// line break, at least 32 bytes. Collectors that share a cookie's domain share this file. Where there is none
// it is made, with 64 hexadecimal characters from a cryptographic source and mode 0600. A symbolic
// link, a file that others may read, and a short key are errors that name the file and the fix.
func LoadCSRFKey(path string) ([]byte, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(path); err != nil {
		return nil, fmt.Errorf("making the CSRF key %s: %w", path, err)
	}
	return readKey(path)
}

func readKey(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("the CSRF key %s is a symbolic link: put the file itself there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the CSRF key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the CSRF key: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("the CSRF key %s is not a regular file", path)
	case private.Exposed(path, info.Mode()):
		return nil, fmt.Errorf("the CSRF key %s has mode %04o, others may read it: chmod 600 %s, and replace it if they did",
			path, info.Mode().Perm(), path)
	}
	key, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the CSRF key %s: %w", path, err)
	}
	return checkKey(path, key)
}

func checkKey(path string, key []byte) ([]byte, error) {
	key = bytes.TrimSuffix(key, []byte("\n"))
	key = bytes.TrimSuffix(key, []byte("\r"))
	if len(key) < minKeyBytes || len(key) > maxKeyBytes {
		return nil, fmt.Errorf("the CSRF key %s has %d bytes, want %d to %d: remove it to have one made, or write one with openssl rand -hex 32",
			path, len(key), minKeyBytes, maxKeyBytes)
	}
	return key, nil
}

// makeKey puts a new key there whole or not at all. Where another collector was quicker, its key stays.
func makeKey(path string) error {
	var random [32]byte
	rand.Read(random[:])
	aside, err := writeAside(path, hex.AppendEncode(nil, random[:]), time.Now())
	if err != nil {
		return err
	}
	defer os.Remove(aside)
	if err := os.Link(aside, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}
