package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Kind is what Prometheus calls the type of a metric.
type Kind string

// The kinds that Brine exports.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is one metric. What it has of values in its labels is bounded by the config; collectors, which name themselves, are at most 64.
type Family struct {
	Name   string
	Help   string
	Kind   Kind
	Labels []string
	desc   *prometheus.Desc
}

func (f *Family) valueType() prometheus.ValueType {
	if f.Kind == Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

var families []*Family

// Families are all metrics that a Brine of any role may export beside Go's own and the process's. docs/metrics.md has each.
func Families() []*Family { return families }

func family(kind Kind, name, help string, labels ...string) *Family {
	f := &Family{name, help, kind, labels, prometheus.NewDesc(name, help, labels, nil)}
	families = append(families, f)
	return f
}

// The process.
var (
	BuildInfo = family(Gauge, "brine_build_info", "1, with the version that runs", "version")
	CheckOK   = family(Gauge, "brine_check_ok", "Whether what the heartbeat checks is in order: storage, log, lake, config, allowlist, kpi, salts, nodes, tls, audit, canary", "check")
	SourceOK  = family(Gauge, "brine_source_ok", "Whether this scrape could read a part of the metrics", "source")
)

// The public door and the groups that it makes.
var (
	Responses     = family(Counter, "brine_http_responses_total", "Answers of the public door, by status; other is a status that is not counted alone", "code")
	Events        = family(Counter, "brine_events_total", "Events that arrived, by stream and by what became of them: stored, sampled_out or refused; (none) names no stream that there is", "stream", "result")
	Refused       = family(Counter, "brine_refused_events_total", "Events that were refused, by reason", "reason")
	Rejected      = family(Counter, "brine_rejected_events_total", "Refused events, by whether the dataset rejected has a row of them: recorded or counted", "result")
	Groups        = family(Counter, "brine_groups_total", "Groups of events, by whether they were made durable: stored or failed", "result")
	GroupBytes    = family(Counter, "brine_group_bytes_total", "Bytes of the groups that were made durable, in the encoding of the log")
	Panics        = family(Counter, "brine_panics_total", "Requests of the public door that ended in a panic and were answered 503")
	AppendSeconds = family(Histogram, "brine_append_seconds", "How long a group took to be made durable in the log")
)

// A collector's way to the stores.
var (
	ForwardUp     = family(Gauge, "brine_forward_store_up", "Whether a storage server takes groups now, by its address in forward.to", "store")
	ForwardGroups = family(Counter, "brine_forward_groups_total", "Groups and requests to erase sent to a storage server, each try by itself, by its answer: stored, refused, which it would be again, or failed", "store", "result")
)

// Canaries, which collectors send to show that what they send can be read.
var (
	CanaryMissing  = family(Gauge, "brine_canary_missing", "Whether no canary of a collector became readable at this node for longer than it should take", "collector")
	CanaryReadable = family(Gauge, "brine_canary_readable_timestamp_seconds", "When the last canary of a collector could first be read at this node", "collector")
	CanaryTravel   = family(Gauge, "brine_canary_travel_seconds", "How long the last canary that this node took was on its way, from when the collector sent it until it could be read", "collector")
	CanaryAhead    = family(Gauge, "brine_canary_clock_ahead_seconds", "By how much a collector's clock is ahead of that of the store it sends to; below 0 it is behind", "collector")
)

// The log.
var (
	LogWaiting = family(Gauge, "brine_log_waiting_entries", "Entries of the log that are not in the lake yet")
	LogBytes   = family(Gauge, "brine_log_disk_bytes", "Bytes of the log's folder")
	LogOldest  = family(Gauge, "brine_log_oldest_timestamp_seconds", "When the day of the oldest log that is there began; no log is to live longer than 26 hours")
)

// The log on several nodes.
var (
	LogNodeUp        = family(Gauge, "brine_log_node_up", "Whether this node reaches another one of the log, by its name in log.nodes", "node")
	LogReplicas      = family(Gauge, "brine_log_replicas", "Nodes that hold the current log and can be reached")
	LogDisagreements = family(Gauge, "brine_log_disagreements", "Where the configs of the nodes differ; brine status says where")
)

// The lease of the background work.
var (
	LeaseHeld  = family(Gauge, "brine_lease_held", "Whether this node does the background work")
	LeaseEpoch = family(Gauge, "brine_lease_epoch", "The epoch of the lease as this node knows it")
)

// The lake.
var (
	FlushSeconds   = family(Histogram, "brine_flush_seconds", "How long a flush of the log into the lake took")
	CompleteTo     = family(Gauge, "brine_lake_complete_to_timestamp_seconds", "What was acknowledged before this moment can be read, as Brine-Complete-To says it")
	LakeFiles      = family(Gauge, "brine_lake_files", "Files of a dataset's stream", "dataset", "stream")
	LakeRows       = family(Gauge, "brine_lake_rows", "Rows in them", "dataset", "stream")
	LakeBytes      = family(Gauge, "brine_lake_bytes", "Bytes of them", "dataset", "stream")
	LakeLeftOut    = family(Gauge, "brine_lake_left_out_files", "Files in the lake's folder that are not read: foreign, damaged or overlapping")
	LakeOldestHour = family(Gauge, "brine_lake_oldest_hour_timestamp_seconds", "The first hour that a dataset has files of; age counts from it", "dataset")
	MaxAge         = family(Gauge, "brine_retention_max_age_seconds", "How long a dataset is kept; absent where there is no limit", "dataset")
	PurgeProblems  = family(Gauge, "brine_purge_problems", "What the last purge found that a person should see to")
	DiskFree       = family(Gauge, "brine_disk_free_bytes", "Bytes that are free on the disk of a folder: log or lake", "folder")
	DiskReserve    = family(Gauge, "brine_disk_reserve_bytes", "Bytes under which the doors take nothing: retention.min_free")
)

// From raw to figures.
var (
	SanitizePartitions = family(Gauge, "brine_sanitize_partitions", "Closed hours of a stream, which are its partitions, by state: sanitized, waiting, stale, lost (it can never be sanitized whole), or failed, which the waiting and stale ones count too", "stream", "state")
	SanitizeLag        = family(Gauge, "brine_sanitize_lag_seconds", "Since when the oldest closed hour waits to be sanitized; 0 where none does", "stream")
	FactsPartitions    = family(Gauge, "brine_facts_partitions", "Sanitized hours, by the state of their facts: done, waiting, stale, or failed, which the waiting and stale ones count too", "state")
	FactsLag           = family(Gauge, "brine_facts_lag_seconds", "Since when the oldest hour waits for its facts; 0 where none does")
)

// Salts and erasures.
var (
	SaltInForce     = family(Gauge, "brine_salt_in_force", "Whether there is a salt for this hour")
	SaltEnd         = family(Gauge, "brine_salt_end_timestamp_seconds", "When the salt in force gives way to the next")
	SaltNextPresent = family(Gauge, "brine_salt_next_present", "Whether the salt that follows the one in force is there; it is made 72 hours before")
	SaltDeletion    = family(Gauge, "brine_salt_deletion_timestamp_seconds", "The earliest DELETION of the salts that are there; in the past it is overdue")
	SaltFaults      = family(Gauge, "brine_salt_faults", "What is wrong with the salts; brine status says what")
	ErasuresWaiting = family(Gauge, "brine_erasures_waiting", "Erasures that are not complete, by state: accepted or removed", "state")
	ErasuresOK      = family(Gauge, "brine_erasures_ok", "Whether erasures can be done")
)

// Copies in other stores.
var (
	OutletLag    = family(Gauge, "brine_outlet_lag_seconds", "Since when the oldest closed hour waits that an outlet's peer does not hold as the lake does; 0 where none does", "outlet")
	OutletBehind = family(Gauge, "brine_outlet_behind_partitions", "Hours of streams that wait so", "outlet")
	OutletLost   = family(Gauge, "brine_outlet_lost_partitions", "Hours that were purged here before they were copied", "outlet")
	OutletOK     = family(Gauge, "brine_outlet_ok", "Whether the last try of an outlet worked", "outlet")
)

// CertificateEnd is of each door that has a certificate.
var CertificateEnd = family(Gauge, "brine_certificate_expiry_timestamp_seconds", "When a door's certificate ends", "door")
