#include "base/file_system.h"

#include "base/sys.h"

/* Where locks are kept by another host, flock is emulated as a POSIX lock or forwarded, and a trial
 * lock would be taken over there. Of these, NFS and SMB grant a lease only where their server has
 * given them the file to cache (nfs4_setlease and cifs_setlease in the kernel), so that a refusal
 * tells of nobody. On overlayfs a mapping is one of the file below, and keeps nobody from a lease
 * (measured). Numbers from statfs(2). */
static const struct {
    uint32_t magic;
    struct file_system is;
} kinds[] = {
    {0x6969, {true, true, false}},      /* NFS */
    {0x517b, {true, true, false}},      /* SMB */
    {0xff534d42, {true, true, false}},  /* CIFS */
    {0xfe534d42, {true, true, false}},  /* SMB2 */
    {0x65735546, {true, false, false}}, /* FUSE: GlusterFS, sshfs and others */
    {0x00c36400, {true, false, false}}, /* Ceph */
    {0x01021997, {true, false, false}}, /* 9P */
    {0x5346414f, {true, false, false}}, /* AFS */
    {0x0bd00bd0, {true, false, false}}, /* Lustre */
    {0x01161970, {true, false, false}}, /* GFS2 */
    {0x7461636f, {true, false, false}}, /* OCFS2 */
    {0x794c7630, {false, false, true}}, /* overlayfs */
};

struct file_system file_system_of(int fd)
{
    struct statfs fs;
    if (sys_fstatfs(fd, &fs) < 0)
        return (struct file_system){false, false, false};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((uint32_t)fs.f_type == kinds[i].magic)
            return kinds[i].is;
    return (struct file_system){false, false, false};
}

/* Numbers from statfs(2). */
bool file_system_is_local(int fd)
{
    struct statfs fs;
    if (sys_fstatfs(fd, &fs) < 0)
        return false;
    switch ((uint32_t)fs.f_type) {
    case 0xef53:     /* ext2, ext3, ext4 */
    case 0x58465342: /* XFS */
    case 0x9123683e: /* Btrfs */
    case 0x01021994: /* tmpfs */
    case 0x794c7630: /* overlayfs: its own inode, before and after a copy up */
        return true;
    default:
        return false;
    }
}
