#include "commands/about.h"

#include "base/text.h"

const char *about_profile(const struct profile *profile)
{
    static const struct {
        char name[sizeof profile->name];
        const char *about;
    } all[] = {
        {"chroma", "a ChromaDB persist directory, by its chroma.sqlite3"},
        {"sqlite", "every SQLite database, by its content"},
        {"duckdb", "every DuckDB database, by its content"},
        {"leveldb", "a directory of LevelDB or RocksDB, by LOCK beside CURRENT"},
        {"lmdb", "a directory of LMDB, by lock.mdb beside data.mdb"},
        {"hdf5", "every HDF5 file, by its content"},
        {"kuzu", "every Kuzu database, by its content"},
        {"qdrant", "a directory of Qdrant's local mode, by .lock beside meta.json"},
        {"h2", "every H2 database, by its content"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (str_equal(all[i].name, profile->name))
            return all[i].about;
    return NULL;
}
