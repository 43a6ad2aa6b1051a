/* settle_clone(flags, stack_top, id, entry, argument): a thread by a raw clone.
 *
 * libc's clone() would do on glibc, but musl refuses CLONE_THREAD there, and a thread on a new stack
 * cannot return through a C function: the child leaves this function only by ending.
 * The child gets the caller's thread pointer, which its code must not write through.
 */
#if defined(__x86_64__)
    .text
    .globl settle_clone
    .hidden settle_clone
    .type settle_clone, @function
settle_clone:
    .cfi_startproc
    endbr64
    /* clone(flags, stack, parent_tid = id, child_tid = id, tls) */
    mov %rcx, %r9
    mov %r8, %r11
    and $-16, %rsi
    sub $16, %rsi
    mov %r9, (%rsi)
    mov %r11, 8(%rsi)
    mov %rdx, %r10
    xor %r8d, %r8d
    mov $56, %eax
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  .cfi_undefined rip
    xor %ebp, %ebp
    pop %rax
    pop %rdi
    call *%rax
    xor %edi, %edi
    mov $60, %eax
    syscall
    hlt
    .cfi_endproc
    .size settle_clone, . - settle_clone
#elif defined(__aarch64__)
    .text
    .globl settle_clone
    .hidden settle_clone
    .type settle_clone, %function
settle_clone:
    .cfi_startproc
    hint #34 /* bti c */
    and x1, x1, #-16
    stp x3, x4, [x1, #-16]!
    /* clone(flags, stack, parent_tid = id, tls, child_tid = id) */
    mov x4, x2
    mov x3, xzr
    mov x8, #220
    svc #0
    cbz x0, 1f
    ret
1:  .cfi_undefined x30
    mov x29, xzr
    ldp x1, x0, [sp], #16
    blr x1
    mov x0, xzr
    mov x8, #93
    svc #0
    brk #0
    .cfi_endproc
    .size settle_clone, . - settle_clone
#endif
    .section .note.GNU-stack, "", %progbits
