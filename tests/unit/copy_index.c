/* An HNSW index that was copied: which files are whole together, and which are not. */
#include "commands/copy_index.h"

#include "unit.h"

static int top;
static struct tree files;
static char why[256];

/* An HNSW index of three elements of 64 bytes, the last of which has links on one level above; its
 * pickle is the file written last. */
static void index_begin(void)
{
    dir_begin();
    cr_assert_eq(mkdir(in_dir("c"), 0755), 0);
    top = open(unit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

TestSuite(copy_index, .init = index_begin, .fini = dir_end, .timeout = 30);

static void put(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(in_dir(name), "w");
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void put_header(uint64_t count, int version)
{
    char header[100] = {0};
    uint64_t element_size = 64;
    uint64_t links = 16;
    memcpy(header, &version, sizeof version);
    memcpy(header + 20, &count, sizeof count);
    memcpy(header + 28, &element_size, sizeof element_size);
    memcpy(header + 60, &links, sizeof links);
    put("c/header.bin", header, sizeof header);
}

static void put_index(void)
{
    static const char zeros[256];
    uint32_t links[20] = {0, 0, 17 * sizeof(uint32_t)};
    put_header(3, 1);
    put("c/data_level0.bin", zeros, 192);
    put("c/length.bin", zeros, 12);
    put("c/link_lists.bin", links, sizeof links);
    put("c/index_metadata.pickle", "\x80\x04N.", 4);
}

/* seconds: of the clock, from now. */
static bool is_whole_after(long seconds)
{
    static const struct profile profile = {.name = "none"};
    struct timespec now;
    struct text t = text_in(why, sizeof why);
    tree_free(&files);
    cr_assert(tree_read(&files, top, &profile, (struct identity){0, 0}, &t));
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += seconds;
    return index_is_whole(top, "c", &files, now, &t);
}

static bool is_whole(void)
{
    return is_whole_after(0);
}

Test(copy_index, whose_files_agree_is_whole)
{
    put_index();
    cr_expect(is_whole(), "%s", why);
}

Test(copy_index, may_have_room_for_more_elements)
{
    put_index();
    put_header(2, 1);
    put("c/index_metadata.pickle", "N.", 2);
    cr_expect(is_whole(), "%s", why);
}

Test(copy_index, with_too_few_elements_is_not)
{
    put_index();
    put_header(4, 1);
    put("c/index_metadata.pickle", "N.", 2);
    cr_expect_not(is_whole());
    cr_expect_str_eq(why, "data_level0.bin has fewer elements than header.bin tells");
}

Test(copy_index, with_too_few_lengths_is_not)
{
    put_index();
    put("c/length.bin", "12345678", 8);
    put("c/index_metadata.pickle", "N.", 2);
    cr_expect_not(is_whole());
    cr_expect_str_eq(why, "length.bin has fewer elements than header.bin tells");
}

Test(copy_index, whose_links_are_cut_off_is_not)
{
    put_index();
    cr_assert_eq(truncate(in_dir("c/link_lists.bin"), 79), 0);
    put("c/index_metadata.pickle", "N.", 2);
    cr_expect_not(is_whole());
    cr_expect_not_null(strstr(why, "link_lists.bin"), "%s", why);
}

Test(copy_index, whose_links_are_no_links_is_not)
{
    put_index();
    put("c/link_lists.bin", "\0\0\0\0\0\0\0\0\1\0\0\0abcdefgh", 20);
    put("c/index_metadata.pickle", "N.", 2);
    cr_expect_not(is_whole());
}

Test(copy_index, whose_header_or_pickle_is_cut_off_is_not)
{
    put_index();
    put("c/header.bin", "", 0);
    put("c/index_metadata.pickle", "N.", 2);
    cr_expect_not(is_whole());
    cr_expect_str_eq(why, "header.bin is cut off");
    put_index();
    put("c/index_metadata.pickle", "", 0);
    cr_expect_not(is_whole());
    cr_expect_str_eq(why, "index_metadata.pickle is cut off");
}

/* Between the two the writer is still at work; an older pickle of files that somebody has restored
 * is none. */
Test(copy_index, whose_pickle_is_older_than_what_was_just_written_is_not)
{
    put_index();
    poll(NULL, 0, 30);
    put_header(3, 1);
    cr_expect_not(is_whole());
    cr_expect_str_eq(why, "index_metadata.pickle is still to be written");
    cr_expect(is_whole_after(10), "%s", why);
    cr_expect(is_whole_after(-10), "a clock that goes wrong: %s", why);
}

Test(copy_index, that_chroma_would_not_read_may_be_as_it_is)
{
    put_index();
    put_header(100, 1);
    unlink(in_dir("c/index_metadata.pickle"));
    cr_expect(is_whole(), "it begins anew: %s", why);
    put_header(100, 2);
    put("c/index_metadata.pickle", "", 0);
    cr_expect(is_whole(), "of another version nothing is known: %s", why);
}
