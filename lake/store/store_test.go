package store_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/lake/store"
	"brine/lake/store/s3test"
)

func TestParseAddress(t *testing.T) {
	a, err := store.ParseAddress("s3://bucket/a/b/?endpoint=https://s3.example.org&region=eu-1&profile=p")
	if want := (store.Address{Bucket: "bucket", Prefix: "a/b/", Endpoint: "https://s3.example.org", Region: "eu-1", Profile: "p", PathStyle: true}); err != nil || a != want {
		t.Error(a, err)
	}
	if a, err := store.ParseAddress("s3://bucket?region=eu-1"); err != nil || a.PathStyle || a.Prefix != "" {
		t.Error(a, err)
	}
	for _, wrong := range []string{"", "lake", "file:///lake", "s3://", "s3://key:secret@bucket", "s3://key:secret%@bucket", "s3://bucket?secret=1", "s3://bucket?%secret",
		"s3://bucket?endpoint=https://key:secret@host", "s3://bucket?endpoint=secret://host", "s3://bucket?use_path_style=secret", "s3://bucket?regoin=eu", "s3://bucket?endpoint=host", "s3://bucket?use_path_style=maybe"} {
		if a, err := store.ParseAddress(wrong); err == nil {
			t.Errorf("%q is taken as %v", wrong, a)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("a secret is told: %v", err)
		}
	}
}

// Credentials that others can read are not used.
func TestCredentialsOfOthers(t *testing.T) {
	s := s3test.Start(t)
	if err := os.Chmod(s.Credentials, 0o640); err != nil {
		t.Fatal(err)
	}
	a, err := store.ParseAddress(s.Address("brine", ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), a); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
}

func TestBucket(t *testing.T) {
	s := s3test.Start(t)
	b := s.Open(t, "lake")
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("rows ", 5_000_000)), 0o600); err != nil { // more than goes in one part
		t.Fatal(err)
	}
	if err := b.PutFile(ctx, "raw/a", file); err != nil {
		t.Fatal(err)
	}
	if err := b.PutFile(ctx, "raw/a", file); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second write: %v", err)
	}
	if err := b.Put(ctx, "raw/a", []byte("other")); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second write: %v", err)
	}
	if err := b.Put(ctx, "raw/b", []byte("text")); err != nil {
		t.Fatal(err)
	}
	if text, err := b.Get(ctx, "raw/b"); err != nil || string(text) != "text" {
		t.Error(string(text), err)
	}
	if _, err := b.Get(ctx, "raw/c"); !errors.Is(err, store.ErrNotExist) {
		t.Error(err)
	}
	sum, err := store.SumOf(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := b.Fetch(ctx, "raw/a", to, 25_000_000, sum); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // what is not there is removed as well
		if err := b.Delete(ctx, "raw/b"); err != nil {
			t.Fatal(i, err)
		}
	}
	if keys := s.Keys(t); !slices.Equal(keys, []string{"lake/raw/a"}) {
		t.Error(keys)
	}
	s.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("Content-Length", "4")
		w.Write([]byte("text"))
	})
	if err := b.Fetch(ctx, "raw/a", to+"2", 25_000_000, sum); !errors.Is(err, store.ErrWrong) {
		t.Error(err)
	}
	if _, err := os.Stat(to + "2"); !errors.Is(err, os.ErrNotExist) {
		t.Error("wrong bytes were kept")
	}
	s.Fail(s3test.Gone)
	if err := b.Put(ctx, "raw/d", nil); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	s := s3test.Start(t)
	if err := s.Open(t, "lake").Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := s.Keys(t); len(keys) > 0 {
		t.Errorf("the probe is there still: %v", keys)
	}
	s.CreateBucket(t, "versioned", false)
	s.Version(t, "versioned")
	s.CreateBucket(t, "locked", true)
	for bucket, why := range map[string]string{"versioned": "versions", "locked": "object lock"} {
		if err := s.OpenIn(t, bucket, "").Check(t.Context()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", bucket, err)
		}
	}
	if err := s.OpenIn(t, "nobodys", "").Check(t.Context()); err == nil || !strings.Contains(err.Error(), "nobodys") {
		t.Error(err)
	}
	t.Run("ConditionIgnored", func(t *testing.T) {
		s.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut {
				w.Header().Set("ETag", `"x"`)
				return
			}
			next.ServeHTTP(w, r)
		})
		if err := s.Open(t, "").Check(t.Context()); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
			t.Error(err)
		}
	})
}

func TestCache(t *testing.T) {
	dir := t.TempDir()
	c, err := store.OpenCache(dir, 10)
	if err != nil {
		t.Fatal(err)
	}
	fetched := 0
	hold := func(key string, size int64) (func(), error) {
		return c.Hold(t.Context(), key, size, func(_ context.Context, path string) error {
			fetched++
			return os.WriteFile(path, make([]byte, size), 0o600)
		})
	}
	mustHold := func(key string, size int64) func() {
		t.Helper()
		release, err := hold(key, size)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(c.Path(key)); err != nil || info.Size() != size || info.ModTime().Minute() != 0 {
			t.Fatal(info, err)
		}
		return release
	}
	a := mustHold("d/a", 4)
	mustHold("d/b", 4)()
	mustHold("d/b", 4)()
	if fetched != 2 {
		t.Errorf("%d were fetched", fetched)
	}
	mustHold("d/c", 5)() // b makes room, a is held
	if _, err := os.Stat(c.Path("d/b")); err == nil || c.Used() != 9 {
		t.Error("it is there still", c.Used())
	}
	if held := c.Drop("d/a"); !held {
		t.Error("a is held")
	}
	if _, err := hold("d/a", 4); !errors.Is(err, store.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(c.Path("d/a")); err != nil {
		t.Error("who holds it reads on", err)
	}
	a()
	if _, err := os.Stat(c.Path("d/a")); err == nil || c.Used() != 5 {
		t.Error("it is there still", c.Used())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := mustHold("d/e", 8)
	if _, err := c.Hold(ctx, "d/f", 8, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	e()
	if _, err := hold("d/g", 11); !errors.Is(err, store.ErrCacheFull) {
		t.Error(err)
	}

	other, err := store.OpenCache(dir, 10) // of another process: the first one's stays
	if err != nil {
		t.Fatal(err)
	}
	mustHold("d/e", 8)()
	if _, err := os.Stat(c.Path("d/e")); err != nil {
		t.Error(err)
	}
	for _, c := range []*store.Cache{c, other} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	left := filepath.Join(dir, "use-of-a-killed-process")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if c, err = store.OpenCache(dir, 10); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := os.Stat(left); err == nil {
		t.Error("what a killed process left is there still")
	}
}
