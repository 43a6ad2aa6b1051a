/* A library of empty symbols, for the linker alone. STUBS: one of the lists of imports. */
#include "imports.h"

#define STUB(name) .globl name; .type name, %function; name:

    .text
STUBS(STUB)
    .section .note.GNU-stack, "", %progbits
