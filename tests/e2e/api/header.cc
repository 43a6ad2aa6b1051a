// settle.h in C++, before any other header.
#include <settle.h>

int main()
{
    struct settle_result (*file)(const char *, double, double) = settle_wait_file;
    struct settle_result (*store)(const char *, double) = settle_wait_store;
    settle_result result = file("/dev/null", 0, 0);
    return result.error != 0 && store("/dev/null", 0).error != 0 ? 0 : 1;
}
