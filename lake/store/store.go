// Package store holds the files of a lake in an object store that speaks S3, and copies of those in use in a bounded
// folder, from which DuckDB reads them.
//
// Whole files and small texts come in under keys like raw/click/date=2026-11-21/hour=13/x-1-9.g1.e4.parquet, are never
// changed, and go out with their SHA-256 verified. It imports access/private of the house.
package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"brine/access/private"
)

// What a store says no with. Whatever else goes wrong, as a store that is gone, is [ErrUnavailable].
var (
	ErrNotExist    = errors.New("no such object")
	ErrExists      = errors.New("there is such an object already")
	ErrWrong       = errors.New("the store answers other bytes than were written")
	ErrUnavailable = errors.New("the object store cannot be used now")
)

// Wrong is an [ErrWrong] of an object: what the store answered.
type Wrong struct {
	Size int64 // one more than was written where there is more
	Sum  Sum   // of these bytes
	text string
}

func (w *Wrong) Error() string { return w.text }
func (w *Wrong) Unwrap() error { return ErrWrong }

// How long one call may take; a transfer has a second more for each of so many bytes.
const (
	callTimeout = 15 * time.Second
	slowest     = 1 << 20 // bytes a second
)

// Sum is the SHA-256 of an object.
type Sum = [sha256.Size]byte

// Bucket is a place in an object store: all keys below one prefix. Its methods may be called from any goroutine.
type Bucket struct {
	name   string // s3://bucket/prefix
	bucket string
	prefix string // "" or with a slash at its end
	blobs  *blob.Bucket
	client *s3.Client
}

// Address is where a bucket is and how it is spoken to, as the config says it:
//
//	s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1&use_path_style=true&credentials_file=/etc/brine/s3&profile=brine
type Address struct {
	Bucket, Prefix  string
	Endpoint        string // "": that of AWS
	Region          string // "": of the environment
	PathStyle       bool   // the bucket stands in the path, not in the host; default: where there is an endpoint
	CredentialsFile string // as of AWS tools; "": the usual environment and files
	Profile         string // in that file
}

// ParseAddress reads an address; every parameter must be one of those above. Its errors hold nothing of the text, in which somebody may have put a secret.
func ParseAddress(text string) (a Address, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return a, errors.New("it is not like s3://bucket/prefix?endpoint=https://…&region=… (credentials stand in a file or the environment)")
	}
	a.Bucket, a.Prefix = u.Host, strings.Trim(u.Path, "/")
	if a.Prefix != "" {
		a.Prefix += "/"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return a, errors.New("the parameters after ? cannot be read")
	}
	a.PathStyle = query.Has("endpoint")
	for key, values := range query {
		switch value := values[len(values)-1]; key {
		case "endpoint":
			if e, err := url.Parse(value); err != nil || e.Host == "" || e.User != nil || e.Scheme != "https" && e.Scheme != "http" {
				return a, errors.New("endpoint is not like https://s3.example.org (credentials stand in a file or the environment)")
			}
			a.Endpoint = value
		case "region":
			a.Region = value
		case "use_path_style":
			if a.PathStyle, err = strconv.ParseBool(value); err != nil {
				return a, errors.New("use_path_style is neither true nor false")
			}
		case "credentials_file":
			a.CredentialsFile = value
		case "profile":
			a.Profile = value
		default:
			return a, errors.New("a parameter is none of endpoint, region, use_path_style, credentials_file and profile")
		}
	}
	return a, nil
}

// Open makes the bucket ready; nothing is asked of it yet.
func Open(ctx context.Context, a Address) (*Bucket, error) {
	var options []func(*config.LoadOptions) error
	if a.Region != "" {
		options = append(options, config.WithRegion(a.Region))
	}
	if a.CredentialsFile != "" {
		info, err := os.Stat(a.CredentialsFile)
		if err != nil {
			return nil, fmt.Errorf("the credentials of the object store: %w", err)
		}
		if mode := info.Mode().Perm(); private.Exposed(a.CredentialsFile, mode) {
			return nil, fmt.Errorf("the credentials of the object store: the mode of %s is %04o, so that others can read it: chmod 600", a.CredentialsFile, mode)
		}
		options = append(options, config.WithSharedCredentialsFiles([]string{a.CredentialsFile}), config.WithSharedConfigFiles(nil))
	}
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("the credentials of the object store: %w", err)
	}
	if a.Endpoint != "" {
		cfg.BaseEndpoint = &a.Endpoint
		if cfg.Region == "" {
			cfg.Region = "us-east-1" // a signature needs one
		}
	}
	if cfg.Region == "" {
		return nil, fmt.Errorf("s3://%s: no region: add ?region=… to the address, or set AWS_REGION", a.Bucket)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = a.PathStyle
		o.Logger, o.DisableLogOutputChecksumValidationSkipped = logging.Nop{}, true // the sums that count are verified here
	})
	blobs, err := s3blob.OpenBucket(ctx, client, a.Bucket, nil)
	if err != nil {
		return nil, err
	}
	if a.Prefix != "" {
		blobs = blob.PrefixedBucket(blobs, a.Prefix)
	}
	return &Bucket{name: "s3://" + a.Bucket + "/" + a.Prefix, bucket: a.Bucket, prefix: a.Prefix, blobs: blobs, client: client}, nil
}

// String is where the bucket is, without how it is spoken to.
func (b *Bucket) String() string { return b.name }

// Close ends the use of the bucket.
func (b *Bucket) Close() error { return b.blobs.Close() }

// fail gives an error its kind and says where it happened.
func (b *Bucket) fail(what, key string, err error) error {
	if err == nil {
		return nil
	}
	kind := ErrUnavailable
	var status *awshttp.ResponseError
	switch code := gcerrors.Code(err); {
	case code == gcerrors.NotFound && !strings.Contains(err.Error(), "NoSuchBucket"):
		return fmt.Errorf("%s %s%s: %w", what, b.name, key, ErrNotExist)
	case code == gcerrors.FailedPrecondition, errors.As(err, &status) && status.HTTPStatusCode() == http.StatusPreconditionFailed:
		return fmt.Errorf("%s %s%s: %w", what, b.name, key, ErrExists)
	}
	return fmt.Errorf("%w: %s %s%s: %w", kind, what, b.name, key, err)
}

// PutFile writes a file under a key that nothing has yet; [ErrExists] may also be what an attempt of its own left whose
// answer was lost. It goes in one request, as the parts of one that was broken
// off would lie on where no list shows them.
func (b *Bucket) PutFile(ctx context.Context, key, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	ctx, cancel := transfer(ctx, info.Size())
	defer cancel()
	_, err = b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String(b.prefix + key), Body: f,
		ContentLength: aws.Int64(info.Size()), ContentType: aws.String("application/vnd.apache.parquet"), IfNoneMatch: aws.String("*")})
	err = b.fail("write", key, err)
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil { // some stores hang up on a large body that they do not want
		if there, headErr := b.blobs.Exists(ctx, key); headErr == nil && there {
			return fmt.Errorf("write %s%s: %w", b.name, key, ErrExists)
		}
	}
	return err
}

// Put writes a small text under a key that nothing has yet.
func (b *Bucket) Put(ctx context.Context, key string, text []byte) error {
	ctx, cancel := transfer(ctx, int64(len(text)))
	defer cancel()
	return b.fail("write", key, b.blobs.Upload(ctx, key, bytes.NewReader(text),
		&blob.WriterOptions{IfNotExist: true, ContentType: "application/octet-stream", DisableContentTypeDetection: true}))
}

// Get reads a small text.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	text, err := b.blobs.ReadAll(ctx, key)
	return text, b.fail("read", key, err)
}

// Fetch copies an object of a known size and sum to path. Other bytes are [ErrWrong], and nothing is left there.
func (b *Bucket) Fetch(ctx context.Context, key, path string, size int64, sum Sum) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	return b.copy(ctx, key, f, size, sum)
}

// Verify says whether an object has this size and sum: if not, it is [ErrWrong].
func (b *Bucket) Verify(ctx context.Context, key string, size int64, sum Sum) error {
	return b.copy(ctx, key, io.Discard, size, sum)
}

func (b *Bucket) copy(ctx context.Context, key string, to io.Writer, size int64, sum Sum) error {
	ctx, cancel := transfer(ctx, size)
	defer cancel()
	r, err := b.blobs.NewReader(ctx, key, nil)
	if err != nil {
		return b.fail("read", key, err)
	}
	defer r.Close()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, hash), io.LimitReader(r, size+1))
	if err != nil {
		return b.fail("read", key, err)
	}
	if got := Sum(hash.Sum(nil)); n != size || got != sum {
		return &Wrong{n, got, fmt.Sprintf("%v: %s%s: %d of %d bytes, and another SHA-256", ErrWrong, b.name, key, n, size)}
	}
	return nil
}

// Delete takes an object away, where there is one.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: aws.String(b.prefix + key)})
	if err := b.fail("remove", key, err); !errors.Is(err, ErrNotExist) {
		return err
	}
	return nil
}

// Object is what a list says of an object.
type Object struct {
	Key   string
	Size  int64
	Since time.Time // when it was written, by the store's clock
}

// List gives the objects whose keys begin so, in the order of their keys. A store may list late: what is written or removed
// just now may be missing, or there still.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		objects := b.blobs.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := next(ctx, objects)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Object{}, b.fail("list", prefix, err))
				return
			}
			if !yield(Object{o.Key, o.Size, o.ModTime}, nil) {
				return
			}
		}
	}
}

// next is the next object of a list, for which the store is asked once a page.
func next(ctx context.Context, objects *blob.ListIterator) (*blob.ListObject, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return objects.Next(ctx)
}

func transfer(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout+time.Duration(bytes/slowest)*time.Second)
}

// SumOf is the SHA-256 of a local file.
func SumOf(path string) (sum Sum, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return sum, err
	}
	return Sum(hash.Sum(nil)), nil
}
