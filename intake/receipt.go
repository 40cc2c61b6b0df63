package intake

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/zstd"

	"brine/door"
	"brine/event"
	"brine/event/scan"
)

// rememberedGroups is how many ids of stored groups the receipt door knows: those of minutes. A group sent again later is stored
// again, and the lake has its rows once.
const rememberedGroups = 8192

// Receipt is the receipt door: collectors send groups to it, and requests to erase. Nothing can be read from it but what everybody is shown. Its fields are
// set before Open and not changed after.
type Receipt struct {
	// Append makes a group durable before it returns nil; the id is the same when it is sent again. Required.
	Append func(ctx context.Context, id uuid.UUID, group []byte) error

	// Forget makes a request to erase an install durable before it returns nil. Required.
	Forget func(unit string) error

	// Ready tells why nothing can be stored now; only collectors ask. Required.
	Ready func() error

	// Collector is the name of the collector that has a token. ErrNoCollector, or one that wraps it, is a wrong token; another
	// error keeps all out for now. Nil: no token is good, only certificates are.
	Collector func(token string) (name string, err error)

	// Vouched tells whether the certificates that a connection began with are good still. Nil: they are for as long as it lasts.
	Vouched func(chains [][]*x509.Certificate) bool

	// Known tells whether a collector may send rows of this dataset and stream. Required.
	Known func(dataset, stream string) bool

	// Admits tells why whoever sends a record may not; by gives the name of the credential. Nil: who is let in may send all that is Known.
	Admits func(by func() string, r event.Record) error

	Totals http.HandlerFunc // GET /v1/published, which needs no credential: what everybody is shown at public doors. Nil: 404
	Logger *slog.Logger     // default: slog.Default()

	decoder *zstd.Decoder
	stored  *lru.Cache[uuid.UUID, struct{}]
}

// ErrNoCollector is the error of a token that no collector has.
var ErrNoCollector = errors.New("no collector has this token")

// Open makes the door ready for requests.
func (d *Receipt) Open() (err error) {
	if d.Append == nil || d.Forget == nil || d.Ready == nil || d.Known == nil {
		return errors.New("intake: a receipt door needs Append, Forget, Ready and Known")
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.stored, err = lru.New[uuid.UUID, struct{}](rememberedGroups); err != nil {
		return err
	}
	d.decoder, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxGroup), zstd.WithDecoderMaxWindow(MaxGroup<<1))
	return err
}

// Handler serves the door's routes: PUT /v1/groups/{id}, PUT /v1/forgets/{id} and GET /__heartbeat__, each for collectors alone; GET /v1/published for all.
func (d *Receipt) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/groups/{id}", d.putGroup)
	mux.HandleFunc("PUT /v1/forgets/{id}", d.putForget)
	mux.HandleFunc("GET /__heartbeat__", d.heartbeat)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer d.recoverPanic(w)
		switch {
		case d.Totals != nil && r.URL.Path == "/v1/published" && r.Method == http.MethodGet:
			d.Totals(w, r)
		case d.admit(w, r):
			mux.ServeHTTP(w, r)
		}
	})
}

// admit lets collectors in: by a certificate that the door's TLS has verified, or by a token.
func (d *Receipt) admit(w http.ResponseWriter, r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if d.Vouched == nil || d.Vouched(r.TLS.VerifiedChains) {
			return true
		}
		w.Header().Set("Connection", "close") // the next one is judged anew
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" || d.Collector == nil {
		d.say(w, http.StatusUnauthorized, "show a collector's token (forward.token_file) or certificate (forward.tls)")
		return false
	}
	switch _, err := d.Collector(token); {
	case errors.Is(err, ErrNoCollector):
		d.say(w, http.StatusUnauthorized, "no collector has this token: make one with brine collector add, at the store")
		return false
	case err != nil:
		d.Logger.Error("no collector is let in", "err", err)
		d.later(w, "the collectors' file cannot be read")
		return false
	}
	return true
}

// credential names what a request was let in by: a token's collector, or a certificate's subject.
func (d *Receipt) credential(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return "certificate " + r.TLS.VerifiedChains[0][0].Subject.String()
	}
	name, _ := d.Collector(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) // it was good a moment ago
	return "token " + name
}

func (d *Receipt) heartbeat(w http.ResponseWriter, _ *http.Request) {
	if d.Ready() != nil {
		d.later(w, "events cannot be stored now: see the store's log, or brine status there")
		return
	}
	d.say(w, http.StatusOK, "")
}

func (d *Receipt) putGroup(w http.ResponseWriter, r *http.Request) {
	id, body, ok := d.read(w, r)
	if !ok {
		return
	}
	if d.stored.Contains(id) {
		d.say(w, http.StatusOK, "")
		return
	}
	if err := d.check(r, body); err != nil {
		d.say(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	err := d.Ready()
	if err == nil {
		if err = d.Append(context.WithoutCancel(r.Context()), id, body); err != nil {
			d.Logger.Error("a collector's group could not be stored; it sends it again", "err", err)
		}
	}
	if err != nil {
		d.later(w, "the group could not be stored: see the store's log, or brine status there")
		return
	}
	d.stored.Add(id, struct{}{})
	d.say(w, http.StatusOK, "")
}

func (d *Receipt) putForget(w http.ResponseWriter, r *http.Request) {
	_, body, ok := d.read(w, r)
	switch {
	case !ok:
	case len(body) == 0 || len(body) > maxUnit || !utf8.Valid(body):
		d.say(w, http.StatusUnprocessableEntity, "expected an install id, UTF-8 of at most 10 kB")
	case d.Forget(string(body)) != nil:
		d.later(w, "the request could not be kept")
	default:
		d.say(w, http.StatusOK, "")
	}
}

// read gives the id and what was packed. Where ok is false the request has been answered.
func (d *Receipt) read(w http.ResponseWriter, r *http.Request) (id uuid.UUID, body []byte, ok bool) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || id.Version() != 4 {
		d.say(w, http.StatusBadRequest, "the path needs a UUID of version 4")
		return id, nil, false
	}
	if r.Header.Get("Content-Encoding") != "zstd" {
		d.say(w, http.StatusUnsupportedMediaType, "expected Content-Encoding: zstd")
		return id, nil, false
	}
	const slack = 64 << 10 // what cannot be packed grows by less
	packed, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxGroup+slack))
	if errors.As(err, new(*http.MaxBytesError)) {
		d.say(w, http.StatusRequestEntityTooLarge, "a group has at most 4 MiB")
		return id, nil, false
	}
	if err != nil {
		d.say(w, http.StatusBadRequest, "the body ended early")
		return id, nil, false
	}
	body, err = d.decoder.DecodeAll(packed, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded), err == nil && len(body) > MaxGroup:
		d.say(w, http.StatusRequestEntityTooLarge, "a group has at most 4 MiB when it is unpacked")
	case err != nil:
		d.say(w, http.StatusBadRequest, "the body is not zstd")
	default:
		return id, body, true
	}
	return id, nil, false
}

// check finds what no collector of this store's config sends, or this one may not. No value of a row is in its errors.
func (d *Receipt) check(req *http.Request, group []byte) error {
	if len(group) == 0 || group[len(group)-1] != '\n' {
		return errors.New("expected records, each with a line break at its end")
	}
	number, by := 0, func() string { return d.credential(req) }
	for r, err := range event.Records(group) {
		number++
		switch {
		case err != nil:
			return fmt.Errorf("record %d: %w", number, err)
		case !d.Known(r.Dataset, r.Stream):
			return fmt.Errorf("record %d is of a dataset or stream that this store does not know: do the configs of collector and store have the same streams?", number)
		case !valid(r.Row):
			return fmt.Errorf("record %d: its row is not JSON in UTF-8", number)
		case d.Admits != nil:
			if err := d.Admits(by, r); err != nil {
				return fmt.Errorf("record %d: %w", number, err)
			}
		}
	}
	return nil
}

// valid tells whether a row is one JSON value, of valid text: the log holds nothing else. It takes a third of the time of
// [encoding/json.Valid], which lets lone surrogates through.
func valid(row []byte) bool {
	s := scan.Scanner{Src: row}
	return s.Skip() == nil && s.Close() == nil
}

func (d *Receipt) later(w http.ResponseWriter, reason string) {
	w.Header()["Retry-After"] = tryLater
	d.say(w, http.StatusServiceUnavailable, reason)
}

// say answers; a reason of "" is a success.
func (d *Receipt) say(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header()["Cache-Control"] = noStore
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	answer := map[string]any{"success": reason == ""}
	if reason != "" {
		answer["reason"] = reason
	}
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(answer))
}

func (d *Receipt) recoverPanic(w http.ResponseWriter) {
	if p := recover(); p != nil {
		d.Logger.Error("a request of a collector panicked", "err", door.PanicError(p))
		d.later(w, "it could not be stored")
	}
}
