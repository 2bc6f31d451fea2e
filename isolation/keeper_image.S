/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper program as bytes. */
    .section .rodata
    .global berth_keeper_begin
    .global berth_keeper_end
    .balign 4096
berth_keeper_begin:
    .incbin BERTH_KEEPER_FILE
berth_keeper_end:
    .section .note.GNU-stack, "", %progbits
