//! Names as a compiler writes them, made names as an author wrote them.
//!
//! A mangled name of a hundred bytes can stand for gigabytes, since parts of it may refer to earlier
//! parts. So what comes out is bounded, and a name past the bound stays as it is.

use std::collections::HashMap;
use std::fmt;
use std::panic::catch_unwind;

use cpp_demangle::DemangleOptions;

/// Bytes of the longest demangled name. Names of C++ templates of a few thousand bytes are common.
const LONGEST: usize = 16 * 1024;

/// How much is remembered before starting anew, in names.
const REMEMBERED: usize = 1 << 17;

/// Demangles, each name once.
#[derive(Debug, Default)]
pub(super) struct Demangler {
    known: HashMap<String, String>,
}

impl Demangler {
    /// The name as its author wrote it, fit for one line of text.
    pub(super) fn name(&mut self, mangled: &str) -> String {
        if let Some(name) = self.known.get(mangled) {
            return name.clone();
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        // Demanglers have panicked on names made for it; such a name stays as it is.
        let name = catch_unwind(|| demangle(mangled)).unwrap_or_else(|_| one_line(mangled));
        self.known.insert(mangled.to_owned(), name.clone());
        name
    }
}

/// Demangled as Rust (both manglings, without hashes), else as C++, else as it is.
pub(super) fn demangle(mangled: &str) -> String {
    let name = rust(mangled).or_else(|| cpp(mangled));
    one_line(name.as_deref().unwrap_or(mangled))
}

fn rust(mangled: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(mangled).ok()?;
    let mut text = Bounded::default();
    fmt::write(&mut text, format_args!("{name:#}")).ok()?;
    Some(text.0)
}

fn cpp(mangled: &str) -> Option<String> {
    // Anything else the demangler would take for a type: `i` for `int`.
    if !mangled.starts_with("_Z") && !mangled.starts_with("__Z") {
        return None;
    }
    let symbol = cpp_demangle::Symbol::new(mangled).ok()?;
    let mut text = Bounded::default();
    symbol.structured_demangle(&mut text, &DemangleOptions::default()).ok()?;
    Some(text.0)
}

/// Text of others fit for one line: cut where it is endless, its control characters replaced.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= LONGEST).then_some(if c.is_control() { '\u{fffd}' } else { c })
        })
        .collect();
    if line.len() < text.len() && text.len() > LONGEST {
        line.push('…');
    }
    line
}

/// Text that refuses to grow beyond [`LONGEST`].
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_loses_its_hash_and_cpp_its_mangling() {
        assert_eq!(demangle("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(demangle("_RNvC6_123foo3bar"), "123foo::bar");
        assert_eq!(demangle("_ZN5space3fooEibc"), "space::foo(int, bool, char)");
        assert_eq!(demangle("_Z3addii.cold"), "add(int, int) [clone .cold]");
    }

    #[test]
    fn a_name_of_c_stays() {
        for name in ["qsort", "i", "__libc_start_main", "memcpy@GLIBC_2.14", "foo.isra.0", ""] {
            assert_eq!(demangle(name), name);
        }
    }

    #[test]
    fn a_name_that_doubles_with_every_letter_stays_mangled() {
        // Each S<n>_ is the pair of the one before with itself.
        let mut bomb = "_Z1f4pairIiiE".to_owned();
        bomb.push_str("S_IS0_S0_E");
        for n in 1..35 {
            let digit = char::from_digit(n, 36).unwrap().to_ascii_uppercase();
            bomb.push_str(&format!("S_IS{digit}_S{digit}_E"));
        }
        assert!(cpp_demangle::Symbol::new(&bomb).is_ok(), "the bomb is well-formed");
        assert_eq!(demangle(&bomb), bomb);
    }

    #[test]
    fn a_name_moves_no_cursor_and_ends() {
        assert_eq!(demangle("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        let endless = "x".repeat(LONGEST + 1);
        let name = demangle(&endless);
        assert!(name.ends_with("x…") && name.len() == LONGEST + '…'.len_utf8());
    }

    #[test]
    fn a_name_is_remembered_as_it_came_out() {
        let mut demangler = Demangler::default();
        for _ in 0..2 {
            assert_eq!(demangler.name("_Z3addii"), "add(int, int)");
        }
    }
}
