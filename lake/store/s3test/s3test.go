// Package s3test runs a real S3 server for tests: versitygw, built from its Go module, over a folder. Between it and its
// clients stands a proxy that a test can let fail.
package s3test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"brine/door/doortest"
	"brine/lake/store"
)

// version is the server's; its go.mod is its own.
const version = "v1.8.0"

const accessKey, secretKey, region = "brinetest", "a secret of tests", "us-east-1"

// Fault handles a request in the server's place, or hands it on to next.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Server is a running S3 server with one bucket, called brine.
type Server struct {
	URL         string // of the proxy
	Credentials string // a file
	client      *s3.Client
	fault       atomic.Pointer[Fault]
}

// Start runs a server until the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return StartIn(tb, tb.TempDir())
}

// StartIn is Start for a test that looks at what the server keeps: all of it is in the folder dir.
func StartIn(tb testing.TB, dir string) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return StartOn(tb, dir, l)
}

// StartOn is StartIn where the server is to be asked elsewhere than on loopback: at the listener, which it closes.
func StartOn(tb testing.TB, dir string, l net.Listener) *Server {
	tb.Helper()
	s := &Server{Credentials: filepath.Join(dir, "credentials")}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", accessKey, secretKey)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(s.Credentials, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	behind := run(tb, dir)
	proxy := &httptest.Server{Listener: l, Config: &http.Server{Handler: s.handler(behind)}}
	proxy.Start()
	tb.Cleanup(proxy.Close)
	s.URL = proxy.URL
	s.client = newClient("http://" + behind)
	s.CreateBucket(tb, "brine", false)
	return s
}

// At is the server that another process has started, by what that one's Server says.
func At(url, credentials string) *Server {
	return &Server{URL: url, Credentials: credentials, client: newClient(url)}
}

func newClient(url string) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: aws.String(url), UsePathStyle: true, Region: region,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")})
}

// run starts the server proper and gives its address.
func run(tb testing.TB, dir string) string {
	tb.Helper()
	for _, folder := range []string{"objects", "attributes", "versions"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	addr := doortest.FreeAddr(tb)
	var said bytes.Buffer
	cmd := exec.Command(Binary(tb), "--access", accessKey, "--secret", secretKey, "--region", region, "--port", addr, "--quiet",
		"posix", "--sidecar", filepath.Join(dir, "attributes"), "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "objects"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr
		}
	}
	tb.Fatalf("the S3 server does not answer: %s", said.String())
	return ""
}

// Binary builds the server where that was not done before, and gives its path. Test processes take turns.
func Binary(tb testing.TB) string {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(cache, "brine-tests", "versitygw-"+version)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "install", "github.com/versity/versitygw/cmd/versitygw@"+version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build the S3 server: %v\n%s", err, out)
	}
	return path
}

// handler passes requests on as they are signed, or lets the fault have them.
func (s *Server) handler(behind string) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: behind})
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := s.fault.Load(); fault != nil {
			(*fault)(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// Fail lets a fault have all requests from now on; nil ends that.
func (s *Server) Fail(f Fault) {
	if f == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&f)
}

// Gone is a fault: nothing answers.
func Gone(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// CreateBucket makes one more bucket.
func (s *Server) CreateBucket(tb testing.TB, name string, locked bool) {
	tb.Helper()
	if _, err := s.client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: &locked}); err != nil {
		tb.Fatal(err)
	}
}

// Version turns on the versioning of a bucket.
func (s *Server) Version(tb testing.TB, bucket string) {
	tb.Helper()
	_, err := s.client.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{Bucket: &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		tb.Fatal(err)
	}
}

// Address is the text by which a config names a place in the server.
func (s *Server) Address(bucket, prefix string) string {
	q := url.Values{"endpoint": {s.URL}, "region": {region}, "credentials_file": {s.Credentials}}
	return "s3://" + bucket + "/" + prefix + "?" + q.Encode()
}

// Open opens a place in the bucket brine until the test ends.
func (s *Server) Open(tb testing.TB, prefix string) *store.Bucket {
	return s.OpenIn(tb, "brine", prefix)
}

// OpenIn opens a place in a bucket until the test ends.
func (s *Server) OpenIn(tb testing.TB, bucket, prefix string) *store.Bucket {
	tb.Helper()
	address, err := store.ParseAddress(s.Address(bucket, prefix))
	if err != nil {
		tb.Fatal(err)
	}
	b, err := store.Open(context.Background(), address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { b.Close() })
	return b
}

// Keys lists the keys there are in the bucket brine, behind the proxy.
func (s *Server) Keys(tb testing.TB) (keys []string) {
	tb.Helper()
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: aws.String("brine")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// Put writes an object, whatever was there.
func (s *Server) Put(tb testing.TB, key string, text []byte) {
	tb.Helper()
	bucket := "brine"
	if _, err := s.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(text)}); err != nil {
		tb.Fatal(err)
	}
}

// Get reads an object.
func (s *Server) Get(tb testing.TB, key string) []byte {
	tb.Helper()
	bucket := "brine"
	answer, err := s.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
