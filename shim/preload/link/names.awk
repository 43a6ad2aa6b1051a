# Of names, one a line: where each stands in the text of them all, its size there, and its hash in the
# tables of ELF files (h * 33 + c from 5381 on, in 32 bits), as rows of struct elf_name (base/elf_lookup.h).
BEGIN {
    for (i = 1; i < 128; i++)
        code[sprintf("%c", i)] = i
}

/./ {
    hash = 5381
    for (i = 1; i <= length($1); i++)
        hash = (hash * 33 + code[substr($1, i, 1)]) % 4294967296
    size = length($1) + 1
    printf "{%.0fu, %d, %d}, /* %s */\n", hash, at, size, $1
    at += size
}
