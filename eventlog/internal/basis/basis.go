// Package basis is what the two kinds of log share: the guard of the clock, the names of logs, how a stream is read,
// what the server says, and the look at a disk.
//
// It imports nothing of the house.
package basis

import "time"

// ConnectTimeout is how long a connection within the process may take to be made: it waits for nothing but a processor and a disk.
const ConnectTimeout = 15 * time.Second
