package console

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"brine/access"
	"brine/access/gate"
	"brine/event"
	"brine/lake"
)

// Limits of a page.
const (
	defaultLimit = 1_000
	maxLimit     = 10_000
)

// query reads what a request asks for.
func (s *Server) query(r *http.Request) (q lake.Query, err error) {
	values, err := gate.Parameters(r, "dataset", "from", "to", "limit", "cursor", gate.PurposeParameter)
	if err != nil {
		return q, err
	}
	q.Table, err = s.Lake.Table(dataset(values), r.PathValue("stream"))
	if err != nil || !slices.Contains(readable, q.Table.Dataset) {
		return q, refusal(http.StatusNotFound, "no such stream in this dataset; datasets are sanitized, raw, rejected and quarantine")
	}
	if q.From, err = parseTime(values, "from", math.MinInt64); err != nil {
		return q, err
	}
	if q.To, err = parseTime(values, "to", math.MaxInt64); err != nil {
		return q, err
	}
	if q.From > q.To {
		return q, badRequest("from is later than to")
	}
	if q.Limit, err = parseLimit(values.Get("limit")); err != nil {
		return q, err
	}
	if cursor := values.Get("cursor"); cursor != "" {
		if q.After, err = parseCursor(cursor); err != nil {
			return q, err
		}
	}
	return q, nil
}

// readable are the datasets that have events. Of what else is in a lake nothing is asked by rows.
var readable = []string{lake.Sanitized, lake.Raw, lake.Rejected, lake.Quarantine}

// dataset is what a query asks for.
func dataset(values url.Values) string {
	if name := values.Get("dataset"); name != "" {
		return name
	}
	return lake.Sanitized
}

// needOfDataset is the role that a read of events needs: all but what was sanitized needs raw, whatever it is called.
func needOfDataset(r *http.Request) access.Role {
	if dataset(r.URL.Query()) == lake.Sanitized {
		return access.Analyst
	}
	return access.Raw
}

// parseTime reads ms since the epoch, or RFC 3339.
func parseTime(values url.Values, name string, missing int64) (int64, error) {
	text := values.Get(name)
	if text == "" {
		return missing, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, badRequest(name + " is neither milliseconds since the epoch nor a time like 2026-11-21T13:00:00Z")
	}
	return t.UnixMilli(), nil
}

func parseLimit(text string) (int, error) {
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, badRequest("limit is not an integer from 1 to " + strconv.Itoa(maxLimit))
	}
	return limit, nil
}

// A cursor is the key of the last row of a page, in base64url.
func formatCursor(k event.Key) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(k.Time))
	return base64.RawURLEncoding.EncodeToString(append(b, k.ID[:]...))
}

func parseCursor(text string) (*event.Key, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 24 {
		return nil, badRequest("cursor is not one that an earlier page gave as next")
	}
	k := &event.Key{Time: int64(binary.BigEndian.Uint64(b))}
	copy(k.ID[:], b[8:])
	return k, nil
}
