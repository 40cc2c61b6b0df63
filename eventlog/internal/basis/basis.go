// Package basis is what the two kinds of log share: the guard of the clock, the names of logs, how a stream is read,
// what the server says, and the look at a disk.
//
// It imports nothing of the house.
package basis
