//! A program compiled for a test, with functions inlined into each other.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

const C_PROGRAM: &str = r"
static inline __attribute__((always_inline)) unsigned innermost(unsigned x) {
    return x * 2654435761u ^ x >> 7;
}
static inline __attribute__((always_inline)) unsigned middle(unsigned x) {
    for (unsigned i = 0; i < 3; i++)
        x = innermost(x + i);
    return x;
}
__attribute__((noinline)) unsigned outer(unsigned x) {
    unsigned y = middle(x);
    return innermost(y) + 1;
}
__attribute__((noinline)) static unsigned quiet(unsigned x) {
    return x / 3 + middle(x);
}
int main(int argc, char **argv) {
    return (int)(outer((unsigned)argc) + quiet((unsigned)argc)) & 1;
}
";

/// Whether a tool can be run; says so loudly where not.
pub(crate) fn have(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: no {tool}");
    }
    found
}

pub(crate) fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A program of ours, compiled; `None` where there is no compiler.
pub(crate) struct Program {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Program {
    pub(crate) fn compile(
        compiler: &str,
        source: &str,
        name: &str,
        flags: &[&str],
    ) -> Option<Self> {
        if !have(compiler) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        fs::write(dir.path().join(name), source).unwrap();
        // The folder is the current one, as files besides the program go there.
        let output = Command::new(compiler)
            .args(["-O2", "-g", "-o", "program", name])
            .args(flags)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(Self { dir, path })
    }

    pub(crate) fn c() -> Option<Self> {
        Self::c_with(&[])
    }

    pub(crate) fn c_with(flags: &[&str]) -> Option<Self> {
        Self::compile("gcc", C_PROGRAM, "program.c", flags)
    }

    /// The virtual addresses of a function's bytes.
    pub(crate) fn addresses(&self, function: &str) -> Vec<u64> {
        let symbols = run("nm", &["-S", self.path.to_str().unwrap()]);
        let line = symbols.lines().find(|line| line.ends_with(&format!(" {function}"))).unwrap();
        let mut numbers = line.split(' ').map(|word| u64::from_str_radix(word, 16).unwrap());
        let start = numbers.next().unwrap();
        (start..start + numbers.next().unwrap()).collect()
    }

    /// From virtual addresses of code to offsets in the file.
    pub(crate) fn offsets(&self, addresses: &[u64]) -> Vec<u64> {
        let bytes = fs::read(&self.path).unwrap();
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let headers = usize::try_from(number(32)).unwrap();
        let count = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
        let segments = (0..count).map(|index| headers + 56 * index);
        let loaded = segments.filter(|at| bytes[*at..at + 4] == [1, 0, 0, 0]);
        let moves: Vec<(u64, u64, u64)> =
            loaded.map(|at| (number(at + 8), number(at + 16), number(at + 32))).collect();
        let offset = |address: &u64| {
            let in_it =
                |(_, start, size): &&(u64, u64, u64)| (*start..start + size).contains(address);
            let (offset, start, _) = moves.iter().find(in_it).unwrap();
            address - start + offset
        };
        addresses.iter().map(offset).collect()
    }
}
