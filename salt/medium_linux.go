package salt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// media are the file systems by their magic number (statfs(2)).
var media = map[uint32]Medium{
	unix.TMPFS_MAGIC:           {"tmpfs", inMemory},
	unix.RAMFS_MAGIC:           {"ramfs", inMemory},
	unix.EXT4_SUPER_MAGIC:      {"ext4", inPlace}, // ext2 and ext3 have the same number
	unix.XFS_SUPER_MAGIC:       {"xfs", inPlace + "; files shared by reflink are copied on write"},
	unix.BTRFS_SUPER_MAGIC:     {"btrfs", copyOnWrite},
	0x2fc12fc1:                 {"zfs", copyOnWrite},
	0xca451a4e:                 {"bcachefs", copyOnWrite},
	unix.F2FS_SUPER_MAGIC:      {"f2fs", copyOnWrite},
	unix.NILFS_SUPER_MAGIC:     {"nilfs2", copyOnWrite},
	unix.OVERLAYFS_SUPER_MAGIC: {"overlay", copyOnWrite},
	unix.NFS_SUPER_MAGIC:       {"nfs", network},
	unix.SMB_SUPER_MAGIC:       {"smb", network},
	unix.SMB2_SUPER_MAGIC:      {"smb2", network},
	unix.CIFS_SUPER_MAGIC:      {"cifs", network},
	unix.CEPH_SUPER_MAGIC:      {"ceph", network},
	unix.AFS_SUPER_MAGIC:       {"afs", network},
	unix.V9FS_MAGIC:            {"9p", network},
	unix.FUSE_SUPER_MAGIC:      {"fuse", unknown},
}

func mediumOf(dir string) (Medium, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Medium{}, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	if m, known := media[uint32(s.Type)]; known {
		return m, nil
	}
	return Medium{fmt.Sprintf("a file system of type %#x", uint32(s.Type)), unknown}, nil
}
