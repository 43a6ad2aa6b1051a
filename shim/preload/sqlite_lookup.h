/* Which SQLite a call means: the one that the dynamic linker would have led it to without us.
 *
 * A process can have several: the system's, and one that a module brings (pysqlite3-binary, JNI and
 * .NET packages). A connection of one in the hands of another is a crash. What RTLD_NEXT says is
 * what the linker would do now; the caller's object was bound earlier, when less was loaded. So its
 * other references are asked first, which nobody hooks: where its sqlite3_exec leads, its
 * sqlite3_open would lead, too.
 */
#ifndef SETTLE_SQLITE_LOOKUP_H
#define SETTLE_SQLITE_LOOKUP_H

#include "base/elf_object.h"
#include "preload/sqlite.h"

/* The function that a call of `symbol` which comes from the object is for, and of the others those
 * that are known with it; NULL where there is none. Keeps no errno; may take the loader's lock. */
void sqlite_lookup_for_caller(const struct elf_object *object, enum sqlite_symbol symbol,
                              void **functions);

/* The object's own functions, and no others. Takes no lock. */
void sqlite_lookup_in_object(const struct elf_object *object, enum sqlite_symbol symbol,
                             void **functions);

extern const char *const sqlite_symbol_names[SQLITE_SYMBOL_COUNT]
    __attribute__((visibility("hidden")));

#endif
