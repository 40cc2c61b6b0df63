package sanitize

// foreign has fields that lists of other systems have and streams here have not, with what to do.
// They are those of Wikimedia's Refine and EventLogging, whose allowlists look much like Brine's.
var foreign = map[string]string{
	"event":           "in other systems an event's own fields stand below event; here they stand below the stream: move them up",
	"geocoded_data":   "places made from addresses: Brine stores no address, so it has none; take it off",
	"useragent":       "made from the User-Agent header, which Brine does not keep of app events; take it off, or let the app send what it needs",
	"user_agent_map":  "made from the User-Agent header, which Brine does not keep of app events; take it off, or let the app send what it needs",
	"normalized_host": "made from a host name when other systems load events; take it off, or list meta.domain",
	"webhost":         "from the capsule that other systems put around events; take it off, or list meta.domain",
	"webHost":         "from the capsule that other systems put around events; take it off, or list meta.domain",
	"recvfrom":        "from the capsule that other systems put around events; take it off",
	"seqid":           "from the capsule that other systems put around events; take it off",
	"revision":        "from the capsule that other systems put around events; take it off",
	"topic":           "from the capsule that other systems put around events; take it off",
	"uuid":            "from the capsule that other systems put around events; an id is for removing resends, and need not be kept",
}
