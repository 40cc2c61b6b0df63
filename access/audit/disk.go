package audit

import (
	"io"
	"io/fs"
)

// disk is every touch of the file system, so that tests can fail any of them or cut the power behind it.
type disk interface {
	// lock keeps every other lock of the folder waiting, in this process and others, until unlock.
	lock(folder string) (unlock func(), err error)
	// stat tells of a file, list of all of a folder in order of names; neither follows a link.
	stat(path string) (info, error)
	list(folder string) ([]info, error)
	open(path string) (file, error)
	// mkdir makes a folder, 0700, and those above it that are missing, all durable.
	mkdir(path string) error
	// write writes at an offset, and makes a file, 0600, where there is none; truncate makes a file shorter. What they did to
	// a file is durable when they return; that there is a file is durable after sync of its folder.
	write(path string, offset int64, content []byte) error
	truncate(path string, size int64) error
	remove(path string) error
	sync(folder string) error
}

// file is a file that is being read.
type file interface {
	io.ReaderAt
	io.Closer
}

// info is what the file system says of a file.
type info struct {
	name string
	mode fs.FileMode
	uid  int
	size int64
}
