package store

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob/s3blob"
)

// silent is a store that takes requests and answers none.
type silent struct{}

func (silent) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// No call waits for ever for a store that does not answer.
func TestSilentStore(t *testing.T) {
	for name, call := range map[string]func(context.Context, *Bucket) error{
		"List": func(ctx context.Context, b *Bucket) (err error) {
			for _, err = range b.List(ctx, "") {
			}
			return err
		},
		"Get":    func(ctx context.Context, b *Bucket) error { _, err := b.Get(ctx, "x"); return err },
		"Put":    func(ctx context.Context, b *Bucket) error { return b.Put(ctx, "x", []byte("x")) },
		"Verify": func(ctx context.Context, b *Bucket) error { return b.Verify(ctx, "x", 1, Sum{}) },
		"Delete": func(ctx context.Context, b *Bucket) error { return b.Delete(ctx, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := s3.New(s3.Options{HTTPClient: silent{}, Region: "x", BaseEndpoint: aws.String("http://store"), Credentials: aws.AnonymousCredentials{}})
				blobs, err := s3blob.OpenBucket(t.Context(), client, "brine", nil)
				if err != nil {
					t.Fatal(err)
				}
				defer blobs.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := call(ctx, &Bucket{bucket: "brine", blobs: blobs, client: client}); !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
					t.Error(err, ctx.Err())
				}
			})
		})
	}
}
