/* A program that is built with -fsanitize=address does not start where another library comes before
 * the sanitizer's runtime, since that one may have taken the place of malloc. This one has not, and
 * whatever it calls through is the runtime's, if that has the function.
 *
 * The runtime asks for its default options by a weak function of its own (asan_interface.h; seen
 * with those of gcc 10 to 16 and clang 14), and so finds this one first. The program's own, if it
 * has one, goes before it; ASAN_OPTIONS of the environment is read after it, and holds. An entry of
 * LD_PRELOAD before ours would do the same, but load the runtime into all of the program's
 * children, whose leaks it would then tell. */
#define EXPORT __attribute__((visibility("default")))

EXPORT const char *__asan_default_options(void);

EXPORT const char *__asan_default_options(void)
{
    return "verify_asan_link_order=0";
}
