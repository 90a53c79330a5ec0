//! A call through a frame whose return address lies signed on the stack, as distributions have compilers make all of them
//! for aarch64 (pointer authentication). A CPU that knows no signatures takes those instructions for nothing.

/// Calls `function` so.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub extern "C" fn call_signed(function: extern "C" fn(usize), argument: usize) {
    std::arch::naked_asm!(
        ".cfi_startproc",
        // paciasp
        "hint 25",
        ".cfi_negate_ra_state",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x8, x0",
        "mov x0, x1",
        "blr x8",
        "ldp x29, x30, [sp], #16",
        ".cfi_restore x29",
        ".cfi_restore x30",
        ".cfi_def_cfa_offset 0",
        // autiasp
        "hint 29",
        ".cfi_negate_ra_state",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `function`: here return addresses are not signed.
#[cfg(not(target_arch = "aarch64"))]
pub fn call_signed(function: extern "C" fn(usize), argument: usize) {
    function(argument);
}
