/* A library of empty symbols, for the linker alone. */
#include "preload/link/imports.h"

#define STUB(name) .globl name; .type name, %function; name:

    .text
SETTLE_LIBC_IMPORTS(STUB)
    .section .note.GNU-stack, "", %progbits
