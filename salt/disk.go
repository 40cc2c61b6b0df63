package salt

import "io/fs"

// disk is every touch of the file system, one verb each, so that tests can fail any of them or cut
// the power behind it. Nothing is durable before sync.
type disk interface {
	// lock keeps every other lock of the folder waiting, in this process and others, until unlock.
	lock(folder string) (unlock func(), err error)
	// stat and list tell of a link itself, never of what it points to. A list is in order of names.
	stat(path string) (info, error)
	list(folder string) ([]info, error)
	// read gives at most max bytes of a file, and follows no link.
	read(path string, max int) ([]byte, error)
	// mkdir and create make what is not there yet, 0700 and 0600, for the owner of the folder around it.
	mkdir(path string) error
	create(path string, content []byte) error
	// overwrite changes a file where it lies, without making it longer or shorter.
	overwrite(path string, content []byte) error
	// append makes a file where there is none. truncate cuts its end off.
	append(path string, content []byte) error
	truncate(path string, size int) error
	rename(from, to string) error
	remove(path string) error
	// sync makes a file's content, or a folder's list of names, durable.
	sync(path string) error
}

// info is what the file system says of a file.
type info struct {
	name  string
	mode  fs.FileMode
	uid   int
	links int
	size  int
}
