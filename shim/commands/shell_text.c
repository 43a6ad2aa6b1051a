#include "commands/shell_text.h"

#include <stdlib.h>

/* Within quotes nothing but the quote itself has a meaning. */
static void quote(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    fputc('\'', out);
}

bool shell_export(FILE *out, const char *variable, const char *value)
{
    fprintf(out, "export %s=", variable);
    quote(out, value);
    fputc('\n', out);
    return true;
}

bool shell_add(FILE *out, const char *prefix, const char *variable, const char *separator,
               const char *value)
{
    fprintf(out, "%s%s=\"${%s:+$%s%s}\"", prefix, variable, variable, variable, separator);
    quote(out, value);
    fputc('\n', out);
    return true;
}

bool shell_add_words(FILE *out, const char *variable, const char *option, const char *value)
{
    char *once = NULL;
    size_t size;
    FILE *word = open_memstream(&once, &size);
    if (word == NULL)
        return false;
    quote(word, value);
    fclose(word);
    fprintf(out, "%s=\"$%s %s \"", variable, variable, option);
    quote(out, once);
    fputc('\n', out);
    free(once);
    return true;
}
