/* SPDX-License-Identifier: Apache-2.0 */
/* The containers' seccomp profile as bytes. */
    .section .rodata
    .global berth_seccomp_begin
    .global berth_seccomp_end
berth_seccomp_begin:
    .incbin BERTH_SECCOMP_FILE
berth_seccomp_end:
    .section .note.GNU-stack, "", %progbits
