/* SPDX-License-Identifier: Apache-2.0 */
/* The description of the API as bytes. */
    .section .rodata
    .global berth_openapi_begin
    .global berth_openapi_end
berth_openapi_begin:
    .incbin BERTH_OPENAPI_FILE
berth_openapi_end:
    .section .note.GNU-stack, "", %progbits
