// Package couchdb is the outlet to CouchDB and to what speaks its protocol.
//
// It imports outlet. Documents come in, requests to one database go out. Neither the password nor a document is in an error.
package couchdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-kivik/kivik/v4"
	driver "github.com/go-kivik/kivik/v4/couchdb"

	"brine/outlet"
)

// Options say where the database is. Only URL is needed.
type Options struct {
	URL          string // of the database, like https://couch.example.org/brine
	User         string // "" for none
	PasswordFile string // of the user; a final line break is not part of it
	CAFile       string // PEM of whom the certificate must come from; default those the system trusts
}

// Database is one database of a CouchDB.
type Database struct {
	client  *kivik.Client
	name    string
	db      *kivik.DB
	noPurge atomic.Bool // the peer has no _purge
}

var _ outlet.Peer = (*Database)(nil)

// requestTime bounds one request.
const requestTime = time.Minute

// New reads the files that are named, and asks nothing of the peer.
func New(o Options) (*Database, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile != "" {
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in PEM", o.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	options := []kivik.Option{driver.OptionHTTPClient(&http.Client{Transport: straight{transport}, Timeout: requestTime})}
	if o.User != "" {
		password, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return nil, err
		}
		options = append(options, driver.BasicAuth(o.User, string(bytes.TrimRight(password, "\r\n"))))
	}
	d := &Database{name: path.Base(u.Path)}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), d.name)
	if d.client, err = kivik.New("couch", u.String(), options...); err != nil {
		return nil, err
	}
	d.db = d.client.DB(d.name)
	return d, nil
}

// straight follows no redirect: that would show another host the password and the documents.
type straight struct{ to http.RoundTripper }

var errRedirect = errors.New("the peer redirects to another address, and this is not followed: put the database's own into outlets.couchdb.url")

// RoundTrip is that of [http.RoundTripper].
func (s straight) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.to.RoundTrip(r)
	if err == nil && res.StatusCode >= 300 && res.StatusCode < 400 {
		return nil, errors.Join(errRedirect, res.Body.Close())
	}
	return res, err
}

// The documents that are not rows.
const (
	markerID = "brine:instance" // whose id tells this database from one that was made again
	designID = "_design/brine"
)

// byTimestamp is the view of the original read API: the key is the timestamp.
const byTimestamp = `function (doc) { if (doc.brine_stream) emit(typeof doc.timestamp === "number" ? doc.timestamp : doc.brine_time, null); }`

// failed says what failed, without the address that was asked: that of a list has ids.
func failed(what string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Open makes the database, its view and its marker where they are missing.
func (d *Database) Open(ctx context.Context) (instance string, err error) {
	there, err := d.client.DBExists(ctx, d.name)
	if err == nil && !there {
		if err = d.client.CreateDB(ctx, d.name); kivik.HTTPStatus(err) == http.StatusPreconditionFailed {
			err = nil // somebody made it meanwhile
		}
	}
	if err != nil {
		return "", failed("open the database "+d.name, err)
	}
	view := map[string]any{"language": "javascript", "views": map[string]any{"by_timestamp": map[string]string{"map": byTimestamp}}}
	if err := d.putOnce(ctx, designID, view); err != nil {
		return "", failed("make the view", err)
	}
	var marker struct {
		Instance string `json:"instance"`
	}
	if err := d.putOnce(ctx, markerID, map[string]string{"instance": rand.Text()}); err != nil {
		return "", failed("mark the database", err)
	}
	if err := d.db.Get(ctx, markerID).ScanDoc(&marker); err != nil {
		return "", failed("read the mark of the database", err)
	}
	if marker.Instance == "" {
		return "", errors.New("the document " + markerID + " is not Brine's: give Brine a database of its own")
	}
	return marker.Instance, nil
}

// putOnce makes a document unless there is one.
func (d *Database) putOnce(ctx context.Context, id string, doc any) error {
	_, err := d.db.GetRev(ctx, id)
	if kivik.HTTPStatus(err) == http.StatusNotFound {
		_, err = d.db.Put(ctx, id, doc)
	}
	if kivik.HTTPStatus(err) == http.StatusConflict {
		return nil
	}
	return err
}

// digestField holds the digest of a document, by which one that is there is compared.
const digestField = "brine_digest"

// compose is a document as it is sent. rev is "" for one that is not there.
func compose(doc outlet.Doc, rev string) json.RawMessage {
	head, _ := json.Marshal(map[string]string{"_id": doc.ID, digestField: doc.Digest}) // strings: it cannot fail
	out := head[:len(head)-1]
	if rev != "" {
		out = fmt.Appendf(out, `,"_rev":%q`, rev)
	}
	if len(doc.Body) > len("{}") {
		out = append(out, ',')
	}
	return append(out, doc.Body[1:]...)
}

// Put writes documents. Those that are there are looked at, and replaced where they differ.
func (d *Database) Put(ctx context.Context, docs []outlet.Doc) error {
	clashed, err := d.bulk(ctx, docs, nil)
	if err != nil || len(clashed) == 0 {
		return err
	}
	held, err := d.held(ctx, clashed)
	if err != nil {
		return err
	}
	var differ []outlet.Doc
	revs := map[string]string{}
	for _, doc := range clashed {
		if h := held[doc.ID]; h.digest != doc.Digest {
			differ, revs[doc.ID] = append(differ, doc), h.rev
		}
	}
	if len(differ) == 0 {
		return nil
	}
	again, err := d.bulk(ctx, differ, revs)
	if err == nil && len(again) > 0 {
		err = fmt.Errorf("%d documents were changed by somebody else meanwhile", len(again))
	}
	return err
}

// bulk writes documents at once, in halves where they are too much for the peer. It gives those that clash with what is there.
func (d *Database) bulk(ctx context.Context, docs []outlet.Doc, revs map[string]string) (clashed []outlet.Doc, err error) {
	all := make([]any, len(docs))
	for i, doc := range docs {
		all[i] = compose(doc, revs[doc.ID])
	}
	results, err := d.db.BulkDocs(ctx, all)
	if kivik.HTTPStatus(err) == http.StatusRequestEntityTooLarge && len(docs) > 1 {
		first, err1 := d.bulk(ctx, docs[:len(docs)/2], revs)
		second, err2 := d.bulk(ctx, docs[len(docs)/2:], revs)
		return append(first, second...), errors.Join(err1, err2)
	}
	if err != nil {
		return nil, failed("write documents", err)
	}
	if len(results) != len(docs) {
		return nil, fmt.Errorf("the peer answered for %d documents of %d", len(results), len(docs))
	}
	for i, r := range results {
		switch {
		case r.Error == nil && r.ID == docs[i].ID:
		case kivik.HTTPStatus(r.Error) == http.StatusConflict:
			clashed = append(clashed, docs[i])
		default:
			return nil, fmt.Errorf("the peer refused a document with status %d", kivik.HTTPStatus(r.Error))
		}
	}
	return clashed, nil
}

// heldDoc is what is known of a document that is there.
type heldDoc struct{ rev, digest string }

func (d *Database) held(ctx context.Context, docs []outlet.Doc) (map[string]heldDoc, error) {
	ids := make([]string, len(docs))
	for i, doc := range docs {
		ids[i] = doc.ID
	}
	all := map[string]heldDoc{}
	rows := d.db.AllDocs(ctx, kivik.Params(map[string]any{"keys": ids, "include_docs": true}))
	defer rows.Close()
	for rows.Next() {
		var doc struct {
			ID     string `json:"_id"`
			Rev    string `json:"_rev"`
			Digest string `json:"brine_digest"`
		}
		if err := rows.ScanDoc(&doc); err == nil && doc.ID != "" {
			all[doc.ID] = heldDoc{doc.Rev, doc.Digest}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, failed("look at documents", err)
	}
	return all, nil
}

// IDs lists the ids of a prefix.
func (d *Database) IDs(ctx context.Context, prefix, after string, atMost int) (ids []string, err error) {
	from := map[string]any{"startkey": prefix, "endkey": prefix + "\ufff0", "limit": atMost}
	if after != "" {
		from["startkey"], from["limit"] = after, atMost+1
	}
	rows := d.db.AllDocs(ctx, kivik.Params(from))
	defer rows.Close()
	for rows.Next() {
		id, err := rows.ID()
		if err != nil {
			return nil, failed("list documents", err)
		}
		if id != after {
			ids = append(ids, id)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, failed("list documents", err)
	}
	return ids, nil
}
