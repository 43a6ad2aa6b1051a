/* A module that has nothing but what it needs: its functions are those of a library that names no
 * SQLite, beside one that is. */
extern const int scope_root;
const int scope_root = 1;
