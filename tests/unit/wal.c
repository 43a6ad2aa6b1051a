/* Frames in a -wal that the database has not, as SQLite's file format has it; connections; hot
 * journals. */
#include "wait/wal.h"

#include "unit.h"

TestSuite(wal, .init = dir_begin, .fini = dir_end, .timeout = 30);

/* SQLite's shell runs a script on a database in WAL mode and leaves its -wal and -shm behind. */
static const char *database(const char *script)
{
    static char path[PATH_MAX];
    char command[PATH_MAX + 512];
    snprintf(path, sizeof path, "%s", in_dir("db"));
    snprintf(command, sizeof command,
             "/usr/bin/sqlite3 %s 'pragma page_size=1024' 'pragma journal_mode=wal' "
             "'.dbconfig no_ckpt_on_close on' '.filectrl persist_wal 1' '%s' >/dev/null",
             path, script);
    cr_assert_eq(system(command), 0);
    return path;
}

static const char three_transactions[] =
    "create table t(a); insert into t values (zeroblob(5000)); insert into t values (1);";

static void remove_index(void)
{
    cr_assert_eq(unlink(in_dir("db-shm")), 0);
}

static long size_of_wal(void)
{
    struct stat st;
    cr_assert_eq(stat(in_dir("db-wal"), &st), 0);
    return st.st_size;
}

static long frames_of_wal(void)
{
    return (size_of_wal() - 32) / (24 + 1024);
}

/* Changes one byte; offset < 0: from the end. */
static void spoil(const char *name, long offset)
{
    char byte;
    int fd = open(in_dir(name), O_RDWR | O_CLOEXEC);
    if (offset < 0)
        offset += lseek(fd, 0, SEEK_END);
    cr_assert_eq(pread(fd, &byte, 1, offset), 1);
    byte = (char)(byte + 1);
    cr_assert_eq(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

Test(wal, a_database_without_one_has_no_frames_there)
{
    cr_expect_eq(wal_frames_missing(a_file("db"), UINT64_MAX), 0);
    a_file("db-wal"); /* that is none */
    cr_expect_eq(wal_frames_missing(in_dir("db"), UINT64_MAX), 0);
}

Test(wal, the_index_and_the_frames_themselves_tell_the_same)
{
    const char *db = database(three_transactions);
    cr_expect_gt(frames_of_wal(), 3);
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), frames_of_wal());
    remove_index();
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), frames_of_wal());
}

Test(wal, frames_that_have_been_copied_into_the_database_are_not_missing)
{
    char script[256];
    snprintf(script, sizeof script, "%s pragma wal_checkpoint;", three_transactions);
    const char *db = database(script);
    cr_expect_gt(frames_of_wal(), 3);
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), 0);
}

/* Before its first frame is written the old ones still lie there, under their old salts. */
Test(wal, a_log_that_is_begun_anew_has_no_frames)
{
    const char *db = database(three_transactions);
    int index = open(in_dir("db-shm"), O_RDWR | O_CLOEXEC);
    for (long copy = 0; copy <= 48; copy += 48) {
        cr_assert_eq(pwrite(index, "\0\0\0\0", 4, copy + 16), 4);
        spoil("db-shm", copy + 32);
    }
    close(index);
    cr_expect_gt(frames_of_wal(), 3);
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), 0);
}

Test(wal, frames_of_an_earlier_round_do_not_count)
{
    char script[256];
    snprintf(script, sizeof script, "%s pragma wal_checkpoint(restart); insert into t values (2);",
             three_transactions);
    const char *db = database(script);
    long missing = wal_frames_missing(db, UINT64_MAX);
    cr_expect(missing > 0 && missing < frames_of_wal(), "%ld", missing);
    remove_index();
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), missing);
}

Test(wal, an_index_that_is_not_of_this_log_is_not_believed)
{
    const char *db = database(three_transactions);
    static const long offsets[] = {16, 32, 64, 80}; /* the salts, the frames; in both copies */
    for (size_t i = 0; i < 4; i++)
        spoil("db-shm", offsets[i]);
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), frames_of_wal());
}

Test(wal, an_index_that_is_being_written_is_not_believed)
{
    const char *db = database(three_transactions);
    spoil("db-shm", 16);
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), frames_of_wal());
}

Test(wal, what_is_not_a_whole_transaction_does_not_count)
{
    const char *db = database(three_transactions);
    long frames = frames_of_wal();
    remove_index();
    spoil("db-wal", -1); /* the last transaction is one frame */
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), frames - 1);
    cr_assert_eq(truncate(in_dir("db-wal"), 32 + (frames - 2) * 1048L), 0);
    long whole = wal_frames_missing(db, UINT64_MAX);
    cr_expect(whole > 0 && whole < frames - 2, "the second is several: %ld", whole);
    spoil("db-wal", 40); /* a frame's salt */
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), 0);
}

Test(wal, a_header_whose_checksum_is_wrong_has_no_frames)
{
    const char *db = database(three_transactions);
    remove_index();
    spoil("db-wal", 12);
    cr_expect_eq(wal_frames_missing(db, UINT64_MAX), 0);
}

/* --- the byte order of another machine --- */

static void put(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static uint32_t get(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void add_up(const unsigned char *at, size_t size, uint32_t s[2])
{
    for (size_t i = 0; i < size; i += 8) {
        s[0] += get(at + i) + s[1];
        s[1] += get(at + i + 4) + s[0];
    }
}

Test(wal, checksums_of_big_endian_words_are_understood)
{
    unsigned char log[32 + 24 + 512] = {0};
    uint32_t s[2] = {0, 0};
    put(log, 0x377f0683);
    put(log + 4, 3007000);
    put(log + 8, 512);
    put(log + 16, 11); /* the salts */
    put(log + 20, 22);
    add_up(log, 24, s);
    put(log + 24, s[0]);
    put(log + 28, s[1]);
    unsigned char *frame = log + 32;
    put(frame, 1);
    put(frame + 4, 1); /* ends a transaction */
    put(frame + 8, 11);
    put(frame + 12, 22);
    frame[24 + 100] = 7;
    add_up(frame, 8, s);
    add_up(frame + 24, 512, s);
    put(frame + 16, s[0]);
    put(frame + 20, s[1]);
    int fd = open(in_dir("db-wal"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_eq(write(fd, log, sizeof log), (ssize_t)sizeof log);
    close(fd);
    cr_expect_eq(wal_frames_missing(in_dir("db"), UINT64_MAX), 1);
}

/* --- where it is large --- */

Test(wal, pages_of_64_kb_are_summed_in_pieces)
{
    char command[PATH_MAX + 256];
    snprintf(command, sizeof command,
             "/usr/bin/sqlite3 %s 'pragma page_size=65536' 'pragma journal_mode=wal' "
             "'.dbconfig no_ckpt_on_close on' '.filectrl persist_wal 1' '%s' >/dev/null",
             in_dir("db"), three_transactions);
    cr_assert_eq(system(command), 0);
    remove_index();
    cr_expect_eq(wal_frames_missing(in_dir("db"), UINT64_MAX), (size_of_wal() - 32) / (24 + 65536));
    spoil("db-wal", -1);
    cr_expect_lt(wal_frames_missing(in_dir("db"), UINT64_MAX), (size_of_wal() - 32) / (24 + 65536));
}

Test(wal, at_the_deadline_the_count_ends)
{
    const char *db = database(three_transactions);
    remove_index();
    cr_expect_eq(wal_frames_missing(db, 0), 0);
}

/* --- connections --- */

Test(wal, a_lock_of_the_byte_that_each_connection_has_is_a_connection)
{
    const char *db = in_dir("db");
    cr_expect_not(wal_is_connected(db));
    char bytes[129] = "";
    int fd = open(in_dir("db-shm"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_eq(write(fd, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 127, .l_len = 1};
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    cr_expect_not(wal_is_connected(db));
    lock.l_start = 128;
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    cr_expect(wal_is_connected(db));
    close(fd);
    cr_expect_not(wal_is_connected(db));
}

/* --- journals --- */

Test(wal, a_journal_is_hot_unless_it_is_empty_or_its_beginning_has_been_cleared)
{
    const char *db = in_dir("db");
    cr_expect_not(wal_journal_is_hot(db));
    a_file("db-journal");
    cr_expect(wal_journal_is_hot(db));
    write_file(in_dir("db-journal"), "");
    cr_expect_not(wal_journal_is_hot(db));
    cr_assert_eq(truncate(in_dir("db-journal"), 512), 0);
    cr_expect_not(wal_journal_is_hot(db));
}

/* keep() locks where SQLite's readers do. */
Test(wal, a_journal_has_an_owner_where_somebody_has_a_lock_of_a_writer)
{
    const char *db = a_file("db");
    cr_expect_not(wal_journal_has_owner(db));
    struct keeper reader = keep(KEEPS_POSIX_READ, db, -1);
    cr_expect_not(wal_journal_has_owner(db));
    let_go(&reader);
    struct keeper writer = keep(KEEPS_POSIX_WRITE, db, -1);
    cr_expect(wal_journal_has_owner(db));
    let_go(&writer);
    cr_expect_not(wal_journal_has_owner(in_dir("none")));
}
