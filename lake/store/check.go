package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Check proves that a lake can be kept in the bucket: what is removed is gone, as it has neither versions nor an object
// lock, and of two writes of one key the second is refused. It writes a probe and removes it.
func (b *Bucket) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	if err := errors.Join(b.checkVersions(ctx), b.checkLock(ctx)); err != nil {
		return err
	}
	return b.checkWrite(ctx)
}

// checkVersions refuses a bucket that keeps what is removed; one that did so before may hold old versions still.
func (b *Bucket) checkVersions(ctx context.Context) error {
	answer, err := b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.bucket})
	if unknownTo(err) {
		return nil
	}
	if err != nil {
		return b.fail("ask for the versioning of", "", err)
	}
	switch answer.Status {
	case types.BucketVersioningStatusEnabled:
		return fmt.Errorf("%s keeps versions of what is removed, so that nothing would ever be erased: use a bucket without versioning", b.name)
	case types.BucketVersioningStatusSuspended:
		return fmt.Errorf("%s had versioning, and what was removed then may be there still: use a bucket that never had it", b.name)
	}
	return nil
}

func (b *Bucket) checkLock(ctx context.Context) error {
	answer, err := b.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &b.bucket})
	if unknownTo(err) {
		return nil
	}
	if err != nil {
		return b.fail("ask for the object lock of", "", err)
	}
	if c := answer.ObjectLockConfiguration; c != nil && c.ObjectLockEnabled == types.ObjectLockEnabledEnabled {
		return fmt.Errorf("%s has an object lock, so that nothing could be erased from it: use a bucket without one", b.name)
	}
	return nil
}

// unknownTo says whether an error is that of a store which has no such thing, or of a bucket without it.
func unknownTo(err error) bool {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return false
	}
	switch e.ErrorCode() {
	case "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "NotImplemented", "MethodNotAllowed", "VersioningNotConfigured":
		return true
	}
	return false
}

func (b *Bucket) checkWrite(ctx context.Context) (err error) {
	key, text := "_probe-"+rand.Text(), []byte("brine check wrote this, and removes it")
	defer func() { err = errors.Join(err, b.Delete(context.WithoutCancel(ctx), key)) }()
	if err := b.Put(ctx, key, text); err != nil {
		return err
	}
	switch err := b.Put(ctx, key, []byte("another")); {
	case err == nil:
		return fmt.Errorf("%s takes a second write of one key in spite of If-None-Match: two owners could overwrite each other; "+
			"use a store with conditional writes", b.name)
	case !errors.Is(err, ErrExists):
		return err
	}
	read, err := b.Get(ctx, key)
	if err == nil && !bytes.Equal(read, text) {
		err = fmt.Errorf("%w: %s%s", ErrWrong, b.name, key)
	}
	return err
}
