/* Which of the files that the program opens belong to a store: by the name, by the content, by what
 * lies beside it, or by its directory, as the profiles say that are on (config/profile.h).
 *
 * Nothing is opened for it: the descriptor itself is asked, and names are.
 */
#ifndef SETTLE_RECOGNISE_H
#define SETTLE_RECOGNISE_H

#include "base/identity.h"
#include "config/profile.h"
#include "config/settings.h"

#include <sys/stat.h>

/* settings must outlive the program. */
void recognise_start(const struct settings *settings);

/* The profiles that are on. */
profile_set recognise_profiles(void);

/* The profile of a file by its first bytes, one system call where its size is that of one; NULL if
 * it is none's. */
const struct profile *recognise_content(int fd, struct identity file, off_t size);

/* Whether databases are stores, whatever they are called. */
bool recognise_databases(void);

/* What a descriptor was found to be, and the memory of the look (scratch.h). */
struct recognised {
    enum role role; /* ROLE_NONE: of no store; ROLE_CANDIDATE: not yet, as far as can be told */
    const struct profile *profile;
    struct identity primary; /* of its store; of a candidate its own */
    const char *absolute;    /* path, or where that is relative other */
    char path[PATH_MAX];     /* without symbolic links; as it was given where there is no /proc */
    char other[PATH_MAX];
    struct named named; /* named.primary: the path of its store's primary, "" if unknown */
    struct stat st;     /* of what lies beside it */
};

/* Whether a candidate lacks the file that its name has to have beside it. */
static inline bool recognised_lacks_beside(const struct recognised *in)
{
    return in->role == ROLE_CANDIDATE && in->named.role == ROLE_PRIMARY;
}

/* The quick question where nothing but names tells: could a file be a store's by the name that the
 * kernel has for it, or by its directory? One system call; nothing is entered anywhere. */
bool recognise_name_possible(int fd);

/* Looks closely. given: the path as the program gave it. */
void recognise(int fd, const struct stat *st, const char *given, struct recognised *in);

/* A candidate has become a primary since it was opened, if its content or what lies beside it says
 * so now. in->primary: the file. The quick question first: could it have, by its size? */
bool recognise_may_again(bool lacks_beside, off_t size);
void recognise_again(int fd, off_t size, bool lacks_beside, struct recognised *in);

/* The primary of a database that SQLite has opened by this absolute path; false if it is none. */
bool recognise_database(const char *path, struct recognised *in);

/* Whether that file was looked at by this thread, the last of those whose content said nothing. */
bool recognise_passed_over(struct identity file);

#endif
