package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"brine/access/private"
	"brine/config"
	"brine/intake"
	"brine/metrics"
	"brine/salt"
)

// openMetrics makes what the house exports, of the figures of brine status and the heartbeat. The rooms are looked at by a scrape, so they may open later.
func (h *house) openMetrics() {
	r := newMetrics(h.storable, h.checks, h.certificates)
	h.metrics = r
	if h.role.collects {
		addDoor(r, func() intake.Snapshot { return h.intake.Stats() })
	}
	if !h.role.stores {
		r.Add("forward", h.putForward)
		return
	}
	r.Add("status", h.putStatus)
	r.Add("log", h.putLog)
	r.Add("cluster", h.putCluster)
	r.Add("disk", h.putDisks)
	r.Add("canary", h.putCanaries)
	h.observe = observers{append: r.Histogram(metrics.AppendSeconds), flush: r.Histogram(metrics.FlushSeconds)}
}

// observers are told how long things took.
type observers struct{ append, flush func(time.Duration) }

// newMetrics is what a process of every role exports: whether what it checks is in order, and when its certificates end.
func newMetrics(storage func() error, checks func() map[string]func() error, all certificates) *metrics.Registry {
	r := metrics.New(version)
	r.Add("checks", checkMetrics(storage, checks))
	r.Add("certificates", all.metrics)
	return r
}

// addDoor adds the counters of a public door.
func addDoor(r *metrics.Registry, stats func() intake.Snapshot) {
	r.Add("door", func(_ context.Context, put metrics.Put) error {
		putDoor(put, stats())
		return nil
	})
}

// checkMetrics are the checks of the heartbeat.
func checkMetrics(storage func() error, checks func() map[string]func() error) metrics.Source {
	return func(_ context.Context, put metrics.Put) error {
		put(metrics.CheckOK, metrics.Bool(storage() == nil), "storage")
		for name, check := range checks() {
			put(metrics.CheckOK, metrics.Bool(check() == nil), name)
		}
		return nil
	}
}

// noStream is the label of events that name no stream that there is. No stream can have this name.
const noStream = "(none)"

// putDoor puts the counters of a public door.
func putDoor(put metrics.Put, door intake.Snapshot) {
	for status, n := range door.Answers {
		code := strconv.Itoa(status)
		if status == 0 {
			code = "other"
		}
		put(metrics.Responses, float64(n), code)
	}
	for stream, of := range door.Streams {
		if stream == "" {
			stream = noStream
		}
		put(metrics.Events, float64(of.Stored), stream, "stored")
		put(metrics.Events, float64(of.SampledOut), stream, "sampled_out")
		put(metrics.Events, float64(of.Refused), stream, "refused")
	}
	for reason, n := range door.Refused {
		put(metrics.Refused, float64(n), reason)
	}
	put(metrics.Rejected, float64(door.RejectedRecorded), "recorded")
	put(metrics.Rejected, float64(door.RejectedUnrecorded), "counted")
	put(metrics.Groups, float64(door.Groups), "stored")
	put(metrics.Groups, float64(door.GroupsFailed), "failed")
	put(metrics.GroupBytes, float64(door.GroupBytes))
	put(metrics.Panics, float64(door.Panics))
}

// putStatus puts what brine status shows.
func (h *house) putStatus(ctx context.Context, put metrics.Put) error {
	st, now := h.status(ctx), time.Now()
	put(metrics.LogWaiting, float64(st.Waiting))
	put.Time(metrics.CompleteTo, orZero(st.CompleteTo))
	for _, held := range st.Held {
		put(metrics.LakeFiles, float64(held.Files), held.Dataset, held.Stream)
		put(metrics.LakeRows, float64(held.Rows), held.Dataset, held.Stream)
		put(metrics.LakeBytes, float64(held.Bytes), held.Dataset, held.Stream)
	}
	put(metrics.LakeLeftOut, float64(len(st.LeftOut)))
	for dataset, hour := range st.Purge.OldestHours {
		put.Time(metrics.LakeOldestHour, hour, dataset)
	}
	for dataset, limit := range retention(h.cfg).Limits {
		if limit.MaxAge > 0 {
			put(metrics.MaxAge, limit.MaxAge.Seconds(), dataset)
		}
	}
	put(metrics.PurgeProblems, float64(len(st.Purge.Problems)))
	putSalts(put, st.Salts, now)
	st.Sanitize.put(put, now)
	st.Facts.put(put, now)
	put(metrics.ErasuresWaiting, float64(st.Erasures.Accepted), "accepted")
	put(metrics.ErasuresWaiting, float64(st.Erasures.Removed), "removed")
	put(metrics.ErasuresOK, metrics.Bool(st.Erasures.Error == ""))
	for _, o := range st.Outlets {
		put(metrics.OutletLag, waited(o.Oldest, now), o.Name)
		put(metrics.OutletBehind, float64(o.Behind), o.Name)
		put(metrics.OutletLost, float64(o.Lost), o.Name)
		put(metrics.OutletOK, metrics.Bool(o.Error == ""), o.Name)
	}
	for _, unknown := range []string{st.Sanitize.Error, st.Facts.Problem} {
		if unknown != "" {
			return errors.New(unknown)
		}
	}
	return nil
}

// waited is since when an hour that is over waits, in seconds; 0 for none.
func waited(oldest *time.Time, now time.Time) float64 {
	if oldest == nil {
		return 0
	}
	return max(0, now.Sub(oldest.Add(time.Hour)).Seconds())
}

func (s *sanitizeStatus) put(put metrics.Put, now time.Time) {
	for _, b := range s.Streams {
		for state, n := range map[string]int{"sanitized": b.Sanitized, "waiting": b.Waiting, "stale": b.Stale, "lost": b.Lost, "failed": b.Failed} {
			put(metrics.SanitizePartitions, float64(n), b.Stream, state)
		}
		put(metrics.SanitizeLag, waited(b.Oldest, now), b.Stream)
	}
}

func (s *factsStatus) put(put metrics.Put, now time.Time) {
	for state, n := range map[string]int{"done": s.Done, "waiting": s.Waiting, "stale": s.Stale, "failed": s.Failed} {
		put(metrics.FactsPartitions, float64(n), state)
	}
	put(metrics.FactsLag, waited(s.Oldest, now))
}

// putSalts puts how the salts stand, with the times that alerts go by.
func putSalts(put metrics.Put, st *saltsStatus, now time.Time) {
	var inForce, next bool
	var deletion time.Time
	for _, s := range st.Salts {
		switch s.State {
		case salt.InForce:
			inForce = true
			put.Time(metrics.SaltEnd, s.End)
		case salt.Waiting:
			next = true
		}
		if s.State != salt.Missing && (deletion.IsZero() || s.Deletion.Before(deletion)) {
			deletion = s.Deletion
		}
	}
	put(metrics.SaltInForce, metrics.Bool(inForce))
	put(metrics.SaltNextPresent, metrics.Bool(next))
	put.Time(metrics.SaltDeletion, deletion)
	faults := len(st.Faults)
	if faults == 0 && st.Error != "" { // else it is one of them
		faults = 1
	}
	put(metrics.SaltFaults, float64(faults))
}

func (h *house) putLog(_ context.Context, put metrics.Put) error {
	if logs := h.log.Logs(); len(logs) > 0 {
		put.Time(metrics.LogOldest, logs[0].Day)
	}
	bytes, err := folderBytes(h.data.log())
	put(metrics.LogBytes, float64(bytes))
	return err
}

// putCluster puts how the nodes of the log stand, where it lies on several. The node that leads has the lease.
func (h *house) putCluster(_ context.Context, put metrics.Put) error {
	if h.cluster == nil {
		return nil
	}
	st := h.cluster.Status()
	for _, n := range st.Nodes {
		if n.Name != st.Node && n.Addr != "" {
			put(metrics.LogNodeUp, metrics.Bool(n.Here), n.Name)
		}
	}
	for _, log := range st.Logs {
		if log.Current {
			put(metrics.LogReplicas, float64(log.Replicas))
		}
	}
	put(metrics.LogDisagreements, float64(len(st.Disagreements)))
	put(metrics.LeaseHeld, metrics.Bool(st.Leading))
	put(metrics.LeaseEpoch, float64(st.Epoch))
	return nil
}

// putForward puts how the stores of a collector stand.
func (h *house) putForward(_ context.Context, put metrics.Put) error {
	for _, store := range h.forward.Stores() {
		put(metrics.ForwardUp, metrics.Bool(store.Error == ""), store.Host)
		put(metrics.ForwardGroups, float64(store.Stored), store.Host, "stored")
		put(metrics.ForwardGroups, float64(store.Refused), store.Host, "refused")
		put(metrics.ForwardGroups, float64(store.Failed), store.Host, "failed")
	}
	return nil
}

// folderBytes is how many bytes the files of a folder have. One that goes meanwhile has none.
func folderBytes(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return bytes, err
}

func (h *house) putDisks(_ context.Context, put metrics.Put) error {
	put(metrics.DiskReserve, float64(h.cfg.Retention.MinFree))
	for name, folder := range map[string]string{"log": h.data.log(), "lake": h.data.lake()} {
		free, err := freeBytes(folder)
		if err != nil {
			return err
		}
		put(metrics.DiskFree, float64(free), name)
	}
	return nil
}

// metrics are when the doors' certificates end.
func (all certificates) metrics(_ context.Context, put metrics.Put) error {
	for name, c := range all {
		put.Time(metrics.CertificateEnd, c.Expires(), name)
	}
	return nil
}

// metricsDoor is the listener of metrics alone: scrape answers GET /metrics, to whoever shows the token where the config has one. A token that
// cannot be read is an error.
func metricsDoor(cfg *config.Config, scrape http.Handler) (*entrance, error) {
	m := cfg.Metrics
	if m.TokenFile != "" {
		if _, err := readMetricsToken(m.TokenFile); err != nil {
			return nil, fmt.Errorf("metrics.token_file: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", withToken(m.TokenFile, scrape))
	server := newServer(mux)
	server.WriteTimeout = publicPatience
	d := newEntrance("metrics", m.Addr, server).counted()
	d.most = mostScrapes
	return d, nil
}

// mostScrapes is how many connections the listener of metrics has at once.
const mostScrapes = 20

// checkMetrics finds what is wrong with the token of metrics.
func (r *report) checkMetrics(cfg *config.Config) {
	if file := cfg.Metrics.TokenFile; file != "" {
		if _, err := readMetricsToken(file); err != nil {
			r.Mistakes = append(r.Mistakes, cfg.Mistake("metrics.token_file", err.Error(), ""))
		}
	}
}

// withToken asks for the token of a file, "" for none. The file is read each time, so that another token is in force at once.
func withToken(file string, next http.Handler) http.Handler {
	if file == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := readMetricsToken(file)
		scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		switch {
		case err != nil:
			http.Error(w, "the token of metrics cannot be read: brine check says why", http.StatusServiceUnavailable)
		case !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(strings.TrimSpace(shown)), []byte(want)) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "show the token of metrics.token_file: Authorization: Bearer …", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// leastToken is how many characters a token has at least: those of 128 random bits in hex.
const leastToken = 32

// readMetricsToken reads the file of a token, without the line break at its end.
func readMetricsToken(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if private.Exposed(path, info.Mode()) {
		return "", fmt.Errorf("%s has mode %04o: others may read the token (chmod 600 %s)", path, info.Mode().Perm(), path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimRight(string(content), "\r\n")
	if len(token) < leastToken {
		return "", fmt.Errorf("%s holds a token of %d characters, and must hold at least %d (head -c 24 /dev/urandom | base64 > %s)", path, len(token), leastToken, path)
	}
	return token, nil
}
