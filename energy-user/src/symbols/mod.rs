//! Names of functions: from where code is in an object to what its author called it.
//!
//! [`Symbolizer`] reads symbol tables and DWARF of programs and libraries, and the kernel's own list
//! of its functions; [`PerfMap`] and [`JitDump`] read what a JIT compiler wrote about the code it made.
//! [`Unwinder`] follows the calls of programs without frame pointers. [`DebugFiles`] finds better files
//! to read for code that was recorded elsewhere or earlier.
//!
//! The objects are those of whoever ran them: missing, stripped, cut off, or made to do harm. Nothing
//! in them is an error here. What has no name keeps its object and offset, and what could not be read
//! is counted and said once, in [`Symbolizer::warnings`].

mod code_ranges;
mod contain;
mod debug_files;
mod debuginfod;
mod demangle;
mod elf;
mod jitdump;
mod kallsyms;
mod library;
mod linkage;
mod object;
mod perf_map;
mod segments;
mod symbolizer;
mod unwind;
mod unwind_table;
mod vdso;

pub use debug_files::{DebugDirectoryError, DebugFiles, Whereabouts};
pub use debuginfod::{Artifact, Debuginfod, DebuginfodAddressError};
pub use jitdump::{JitDump, JitFunction};
pub use kallsyms::{KernelFunction, KernelSymbols};
pub use object::{UserObject, VDSO};
pub use perf_map::PerfMap;
pub use symbolizer::{SymbolOptions, Symbolizer};
pub use unwind::{UnwindCache, UnwindInfo, UnwindStart, Unwinder};

/// An address inside the call that returns to `return_address`.
///
/// Of a stack, only the leaf's address is of the instruction that was running. All others are return
/// addresses, one past their call, and the instruction after a call may be of another line, another
/// inlined function, or, after a call that never returns, of the next function altogether. So look up
/// the leaf as it is and this for all other frames; where exactly in the call does not matter.
pub const fn call_before(return_address: u64) -> u64 {
    return_address.saturating_sub(1)
}
