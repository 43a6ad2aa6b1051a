/* Hooks that must leave no stack frame.
 *
 * dlopen: the loader takes the caller from the return address, for its RUNPATH and its namespace; called
 * from a C function of ours it would see the shim. settle_dlopen_mask clears RTLD_DEEPBIND where the
 * user asked for it (SETTLE_DEEPBIND=strip).
 * syscall: a program may make a thread by syscall(SYS_clone) with a new stack, where a return through a
 * frame would read the wrong one.
 * vfork: the child goes on in the caller's frame and overwrites what lies below it, ours among it, before
 * the parent comes back. What is done before it is done in a call of its own, which has returned.
 * Some calls of syscall() make processes: from there on somebody else may have the descriptions that are
 * open (track/keep.h).
 * The union `real` begins in real.h; its offsets come from a generated header.
 */
#include "preload/offsets.h"

#if defined(__x86_64__)
    .text
    .globl dlopen
    .type dlopen, @function
dlopen:
    .cfi_startproc
    endbr64
    and settle_dlopen_mask(%rip), %esi
    jmp *(real + REAL_DLOPEN)(%rip)
    .cfi_endproc
    .size dlopen, . - dlopen

    .globl syscall
    .type syscall, @function
syscall:
    .cfi_startproc
    endbr64
    cmp $3, %rdi        /* SYS_close */
    je settle_syscall
    cmp $436, %rdi      /* SYS_close_range */
    je settle_syscall
    cmp $157, %rdi      /* SYS_prctl */
    je settle_syscall
    cmp $317, %rdi      /* SYS_seccomp */
    je settle_syscall
    cmp $435, %rdi      /* SYS_clone3 */
    je 1f
    lea -56(%rdi), %rax /* SYS_clone, SYS_fork, SYS_vfork */
    cmp $2, %rax
    ja 2f
1:  lock incl keep_sharings(%rip)
2:  jmp *(real + REAL_SYSCALL)(%rip)
    .cfi_endproc
    .size syscall, . - syscall

    .globl vfork
    .type vfork, @function
vfork:
    .cfi_startproc
    endbr64
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    call settle_before_vfork
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    jmp *(real + REAL_VFORK)(%rip)
    .cfi_endproc
    .size vfork, . - vfork
#elif defined(__aarch64__)
    .text
    .globl dlopen
    .type dlopen, %function
dlopen:
    .cfi_startproc
    hint #34            /* bti c */
    adrp x16, settle_dlopen_mask
    ldr w16, [x16, :lo12:settle_dlopen_mask]
    and w1, w1, w16
    adrp x16, real + REAL_DLOPEN
    add x16, x16, :lo12:(real + REAL_DLOPEN)
    ldr x16, [x16]
    br x16
    .cfi_endproc
    .size dlopen, . - dlopen

    .globl syscall
    .type syscall, %function
syscall:
    .cfi_startproc
    hint #34
    cmp x0, #57         /* SYS_close */
    b.eq settle_syscall
    cmp x0, #436        /* SYS_close_range */
    b.eq settle_syscall
    cmp x0, #167        /* SYS_prctl */
    b.eq settle_syscall
    cmp x0, #277        /* SYS_seccomp */
    b.eq settle_syscall
    cmp x0, #435        /* SYS_clone3 */
    b.eq 1f
    cmp x0, #220        /* SYS_clone */
    b.ne 3f
1:  adrp x16, keep_sharings
    add x16, x16, :lo12:keep_sharings
2:  ldxr w17, [x16]
    add w17, w17, #1
    stxr w15, w17, [x16]
    cbnz w15, 2b
3:  adrp x16, real + REAL_SYSCALL
    add x16, x16, :lo12:(real + REAL_SYSCALL)
    ldr x16, [x16]
    br x16
    .cfi_endproc
    .size syscall, . - syscall

    .globl vfork
    .type vfork, %function
vfork:
    .cfi_startproc
    hint #34
    stp x29, x30, [sp, #-16]!
    .cfi_adjust_cfa_offset 16
    .cfi_offset 29, -16
    .cfi_offset 30, -8
    bl settle_before_vfork
    ldp x29, x30, [sp], #16
    .cfi_adjust_cfa_offset -16
    .cfi_restore 29
    .cfi_restore 30
    adrp x16, real + REAL_VFORK
    add x16, x16, :lo12:(real + REAL_VFORK)
    ldr x16, [x16]
    br x16
    .cfi_endproc
    .size vfork, . - vfork
#endif
    .section .note.GNU-stack, "", %progbits
