/* settle_spawn(number, a, b, c, d, e): clone or clone3 as a raw system call.
 *
 * libc's clone() would do on glibc, but musl refuses CLONE_THREAD there, and a thread on a new stack
 * cannot return through a C function: the child leaves this function only by ending. It finds the
 * function to call, and its argument, on top of its stack. It gets the caller's thread pointer, which
 * its code must not write through.
 */
#if defined(__x86_64__)
    .text
    .globl settle_spawn
    .hidden settle_spawn
    .type settle_spawn, @function
settle_spawn:
    .cfi_startproc
    endbr64
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
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
    .size settle_spawn, . - settle_spawn
#elif defined(__aarch64__)
    .text
    .globl settle_spawn
    .hidden settle_spawn
    .type settle_spawn, %function
settle_spawn:
    .cfi_startproc
    hint #34 /* bti c */
    mov x8, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
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
    .size settle_spawn, . - settle_spawn
#endif
    .section .note.GNU-stack, "", %progbits
