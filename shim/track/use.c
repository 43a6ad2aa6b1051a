#include "track/use.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/interruption.h"
#include "helper/log.h"
#include "track/budget.h"
#include "track/closed.h"
#include "track/deferral.h"
#include "track/history.h"
#include "track/locks.h"
#include "track/mention.h"
#include "track/process.h"
#include "track/question.h"
#include "track/tell.h"
#include "track/track.h"
#include "track/waiting.h"
#include "wait/dotfile.h"
#include "wait/pace.h"

static const struct settings *settings;

static const char a_listing[] = "list";
static const char a_truncation[] = "truncate";

struct use {
    struct store *store;
    const struct rule *rule;
    struct block_cause cause;
    int home;
    int fd;           /* of the program, just opened on the primary; -1: none */
    bool joined;      /* it has waited for closes of this process, */
    bool interrupted; /* and SIGINT or SIGTERM ended that */
};

SYS_AT_START void use_start(const struct settings *s)
{
    settings = s;
}

/* --- closes that are under way in this process --- */

/* Connections of the store are going away: one has gone not long ago, none was opened since the use
 * began, and some are left. */
static bool is_leaving(const struct use *u, uint32_t opens)
{
    const uint64_t fell = atomic_load(&u->store->fell);
    return fell != 0 && clock_now() - fell < settings->fallback_delay &&
           atomic_load(&u->store->opens) == opens && handle_count_engine(u->store) > 0;
}

static bool is_closing(const struct use *u, uint32_t opens)
{
    return closed_is_under_way(u->store, u->rule->max_wait) || is_leaving(u, opens);
}

/* With a connection for each request, handles come and go all the time: only that their number
 * falls is a reason to wait. One thread alone has nobody to wait for. */
static void join_closes(struct use *u)
{
    const uint32_t opens = atomic_load(&u->store->opens);
    if (!is_closing(u, opens) || !helper_other_threads())
        return;
    const struct claim claim = budget_claim(u->rule->max_wait, u->cause.began);
    struct interruption interruption = interruption_here(1);
    uint64_t gone;
    while ((gone = clock_now() - u->cause.began) < claim.ns && is_closing(u, opens) &&
           process_home() == u->home)
        if (interruption_sleep(&interruption, pace_backoff(gone, u->rule->check_interval))) {
            u->interrupted = true;
            break;
        }
    interruption_end(&interruption);
    budget_settle(claim, gone);
    u->joined = true;
}

/* --- other processes --- */

/* Whether another process has a lock that writes on some bytes of a file that the engine has open:
 * asked on the engine's own descriptor, as the kernel does not tell of this process's own POSIX
 * locks then. The descriptor is borrowed. It may be closed under our hands, and its number be that
 * of another file: so the answer holds if it was that file's before and after. */
static bool is_written(const struct store *store, struct identity file, off_t start, off_t length)
{
    for (int tries = 0; tries < 3; tries++) {
        const int fd = handle_of_engine(store, file);
        struct flock lock = {
            .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
        struct stat before, after;
        if (fd < 0)
            return false;
        if (sys_fstat(fd, &before) < 0 || sys_fcntl(fd, F_GETLK, (long)&lock) < 0 ||
            sys_fstat(fd, &after) < 0)
            continue;
        if (identity_same(identity_of(&before), file) && identity_same(identity_of(&after), file))
            return lock.l_type != F_UNLCK;
    }
    return false;
}

/* With a WAL, who writes or checkpoints says so on -shm (bytes 120 and 121), and not on the
 * database. A dot-file does not tell whether its owner writes; it is not ours, or locks_beyond_idle
 * would have said so. */
static bool is_written_by_others(const struct store *store)
{
    const struct identity primary = store_primary(store);
    const struct identity shm = {primary.dev, atomic_load(&store->shm)};
    return is_written(store, primary, 0, 0) || (shm.ino != 0 && is_written(store, shm, 120, 2)) ||
           (store_profile(store)->engine == ENGINE_SQLITE && dotfile_is_held(store_path(store)));
}

/* Whether the descriptor that the program has just opened tells that nobody has the database
 * locked. What may be locked by flock as well is asked for by a helper. */
static bool is_free_by(const struct use *u)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return u->rule->until == UNTIL_UNLOCKED && !profile_has_flocks(store_profile(u->store)) &&
           sys_fcntl(u->fd, F_OFD_GETLK, (long)&lock) == 0 && lock.l_type == F_UNLCK &&
           !dotfile_is_held(store_path(u->store));
}

/* Of a store that the process has closed. in_vain: a wait for it was, so that it is not waited for
 * before it has been seen free. */
static bool is_free_here(const struct use *u, bool in_vain)
{
    enum answer answer = ANSWER_NONE;
    if (u->fd < 0)
        answer = question_ask(u->store, u->cause.use == a_listing || u->cause.use == a_truncation);
    else if (is_free_by(u))
        answer = ANSWER_FREE;
    if (answer == ANSWER_NONE && in_vain)
        return block_is_settled(u->store, u->home);
    return answer == ANSWER_FREE;
}

static void end(const struct use *u, const char *outcome)
{
    history_used(u->store, &u->cause, outcome);
}

static void end_free(const struct use *u)
{
    store_mark(u->store, 0, STORE_UNSETTLED | STORE_IN_VAIN);
    end(u, u->joined ? "settled after waiting" : "settled at once");
}

/* What timed out is not waited for again until it has been seen free. */
static void settle(struct use *u)
{
    const bool in_vain = (atomic_load(&u->store->state) & STORE_IN_VAIN) != 0;
    u->cause.writers = handle_count_engine(u->store) > 0;
    const bool in_the_way = u->cause.writers && locks_beyond_idle(u->store);
    bool is_free = false;
    if (u->cause.writers)
        is_free = !in_the_way && !is_written_by_others(u->store);
    else
        is_free = is_free_here(u, in_vain);
    if (is_free)
        end_free(u);
    else if (in_the_way || in_vain)
        end(u, "not waited");
    else
        block_until_settled(u->store, store_path(u->store), &u->cause, u->home);
}

/* --- a use --- */

/* What nobody else says to the author of a program that believes it has closed its store. */
static void tell_never_closed(const struct use *u)
{
    const uint32_t handles = handle_count_engine(u->store);
    if (handles == 0 || (store_mark(u->store, STORE_TOLD, 0) & STORE_TOLD) != 0 ||
        !log_wants(LOG_WARN))
        return;
    char message[128];
    struct text t = text_in(message, sizeof message);
    text_str(&t, "used while ");
    text_int(&t, handles);
    text_str(&t, handles == 1 ? " handle" : " handles");
    text_str(&t, " of this process ");
    text_str(&t, handles == 1 ? "is" : "are");
    text_str(&t, " open: it was never closed");
    log_say_path(LOG_WARN, store_path(u->store), message);
}

/* Somebody else may be waiting for this process, and is not to wait for us, too: no use waits while
 * the engine has a lock, wherever in the program that is. A close has locks of its own. */
static bool is_in_the_way(const struct use *u)
{
    return handle_count_engine(u->store) > 0 && locks_beyond_idle(u->store) &&
           !closed_is_under_way(u->store, u->rule->max_wait);
}

/* what: NULL where it waits for closes of this process alone. */
static void use_store(struct store *store, const char *what, int fd)
{
    const struct rule *rule = rules_get(atomic_load(&store->rule));
    struct use u = {.store = store,
                    .rule = rule,
                    .cause = {.began = clock_now(), .use = what},
                    .home = process_home(),
                    .fd = fd};
    if (store_is_emptied(
            store)) /* before the look whose process this is: it was the parent's use */
        return;
    const uint64_t before = waiting_begin(u.cause.began + rule->max_wait + BLOCK_PATIENCE);
    const bool in_the_way = is_in_the_way(&u);
    if (!in_the_way)
        join_closes(&u);
    if (process_home() == u.home && what != NULL) {
        tell_never_closed(&u);
        if (in_the_way || u.interrupted || settings->at_use == AT_USE_PENDING)
            end(&u, u.joined && !u.interrupted ? "settled after waiting" : "not waited");
        else
            settle(&u);
    }
    waiting_end(before);
    if (process_home() == u.home)
        store_release(store);
}

/* Whether the calling thread may wait here. */
static bool is_use(void)
{
    return settings->at_use != AT_USE_OFF && track_is_on() && !waiting_now() &&
           process_thread_at_home() && !deferral_inside();
}

/* An engine that has many files (LevelDB, RocksDB) lists their directory itself while it works. */
static bool is_engines_own(const struct store *store, const char *what)
{
    return str_equal(what, a_listing) && store_profile(store)->beside[0] != '\0' &&
           handle_count_engine(store) > 0;
}

static void use_each_in(struct identity directory, const char *what)
{
    struct store *store;
    for (uint32_t at = 0; (store = store_next(&at, &directory)) != NULL;)
        if (is_engines_own(store, what))
            store_release(store);
        else
            use_store(store, what, -1);
}

static void use_file(struct identity file, const char *what)
{
    struct store *store = store_find(file);
    if (store == NULL)
        return;
    if ((atomic_load(&store->handles) & STORE_ENGINE) != 0)
        use_store(store, what, -1);
    else
        store_release(store);
}

/* --- what the program does --- */

void use_of_directory(int dir, const char *path)
{
    struct stat st;
    if (sys_fstatat(dir, path, &st, 0) == 0 && seen_in(identity_of(&st)) && is_use())
        use_each_in(identity_of(&st), a_listing);
}

void use_of_directory_descriptor(int fd)
{
    struct stat st;
    if (sys_fstat(fd, &st) == 0 && seen_in(identity_of(&st)) && is_use())
        use_each_in(identity_of(&st), a_listing);
}

void use_of_name(int dir, const char *path, const char *what)
{
    struct stat st;
    if (sys_fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(st.st_mode) && seen_in(identity_of(&st)) && is_use())
        use_each_in(identity_of(&st), what);
    else if (S_ISREG(st.st_mode) && is_use())
        use_file(identity_of(&st), what);
}

void use_renaming(int from_dir, const char *from, int to_dir, const char *to)
{
    const uint64_t names = use_names();
    if (use_has_name(names, from))
        use_of_name(from_dir, from, "rename");
    if (use_has_name(names, to))
        use_of_name(to_dir, to, "rename");
}

void use_of_content(int dir, const char *path)
{
    struct stat st;
    if (sys_fstatat(dir, path, &st, 0) == 0 && seen_possible(st.st_ino) && is_use())
        use_file(identity_of(&st), a_truncation);
}

void use_opened(int fd)
{
    if (use_names() == 0)
        return;
    const struct handle h = handle_get(fd);
    if (h.role != ROLE_PRIMARY || (atomic_load(&h.store->handles) & STORE_ENGINE) == 0 ||
        handle_opened_as_engine(&h) || !is_use())
        return;
    store_retain(h.store);
    use_store(h.store, "open", fd);
}

/* Whether the child is told of a store decides what it is waited for. */
void use_by_child(char *const *arguments, const char *command)
{
    if (!is_use())
        return;
    struct mention *mention = mention_of(arguments, command);
    struct store *store;
    for (uint32_t at = 0; (store = store_next(&at, NULL)) != NULL;)
        use_store(store, mention_has(mention, store) ? "child" : NULL, -1);
    mention_free(mention);
}

/* --- the end --- */

/* With one beginning for all of them: while one is waited for, the others come to rest, too. */
static void settle_all(void)
{
    struct store *store;
    const struct block_cause cause = {.began = clock_now()};
    const int home = process_home();
    for (uint32_t at = 0; (store = store_next(&at, NULL)) != NULL;) {
        const bool owed = rules_get(atomic_load(&store->rule))->trigger == TRIGGER_USE &&
                          (atomic_load(&store->state) & STORE_UNSETTLED) != 0;
        if (owed)
            block_until_settled(store, store_path(store), &cause, home);
        if (process_home() != home)
            return;
        store_release(store);
    }
}

void use_exec(char *const *arguments)
{
    if (use_names() == 0 || !track_is_on() || waiting_now() || !process_thread_at_home())
        return;
    use_by_child(arguments, NULL);
    settle_all();
}

void use_ended(void)
{
    if (use_names() != 0 && track_is_on() && process_thread_at_home())
        settle_all();
}
