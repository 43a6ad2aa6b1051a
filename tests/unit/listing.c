/* The entries of a directory, however many. */
#include "base/listing.h"

#include "unit.h"

#include <errno.h>

TestSuite(listing, .init = dir_begin, .fini = dir_end, .timeout = 10);

Test(listing, every_entry_of_a_directory_comes_once_however_many_there_are)
{
    static unsigned seen[1000];
    char name[64];
    struct listing listing;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "entry-with-a-name-that-fills-the-buffer-%u", i);
        a_file(name);
    }
    cr_assert_eq(listing_open(&listing, unit_dir), 0);
    const struct entry *entry;
    while ((entry = listing_next(&listing)) != NULL)
        if (entry->name[0] != '.')
            seen[atoi(strrchr(entry->name, '-') + 1)]++;
    listing_close(&listing);
    for (unsigned i = 0; i < 1000; i++)
        cr_expect_eq(seen[i], 1u, "%u", i);
}

Test(listing, a_directory_that_is_not_there_tells_why)
{
    struct listing listing;
    cr_expect_eq(listing_open(&listing, in_dir("missing")), -ENOENT);
    cr_expect_eq(listing_open(&listing, a_file("file")), -ENOTDIR);
}
