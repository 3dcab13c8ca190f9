//! What compiles and links BPF on this machine.
//!
//! The compiler must bring the sources of `core`, and bpf-linker must be linked to an LLVM no older
//! than the compiler's, or it cannot read what the compiler wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{command, workspace};

/// The compiler of the distribution. A stable one will do: what it must be talked into is using
/// unstable options, not another version.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

const LINKER: &str = "bpf-linker";

/// A compiler with the sources of `core`, and the linker.
#[derive(Debug)]
pub(super) struct Toolchain {
    compiler: Compiler,
    version: CompilerVersion,
    sysroot: PathBuf,
    linker: Linker,
}

#[derive(Debug, Clone, Copy)]
enum Compiler {
    /// [`SYSTEM_RUSTC`], driven by the cargo that runs us.
    System,
    /// rustup's nightly with its rust-src component.
    Nightly,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CompilerVersion {
    /// As in `1.96.0 (ac68faa20 2026-05-25)`.
    release: String,
    /// As in `22.1.8`.
    llvm: String,
}

#[derive(Debug, Clone)]
struct Linker {
    path: PathBuf,
    version: String,
    /// `None` where the linker brings its own LLVM and does not say which.
    llvm: Option<String>,
}

impl Toolchain {
    /// The toolchain whose versions are `preferred`, else the first that is complete. The
    /// distribution's comes first: it is the same on every machine with that distribution, and it
    /// is what continuous integration uses.
    pub(super) fn find(preferred: Option<&str>) -> anyhow::Result<Self> {
        let linker = Linker::find()?;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for compiler in [Compiler::System, Compiler::Nightly] {
            match Self::complete(compiler, &linker) {
                Ok(toolchain) => found.push(toolchain),
                Err(error) => missing.push(format!("{}: {error:#}", compiler.name())),
            }
        }
        if found.is_empty() {
            bail!(
                "no compiler here can build for BPF ({}); run `cargo xtask build-ebpf --setup` \
                 as root on Debian, or `rustup toolchain install nightly --component rust-src`",
                missing.join("; ")
            );
        }
        let best = found
            .iter()
            .position(|toolchain| preferred.is_some_and(|wanted| toolchain.versions() == wanted))
            .unwrap_or(0);
        Ok(found.swap_remove(best))
    }

    /// The versions of everything that shapes the object, in one line.
    pub(super) fn versions(&self) -> String {
        let linked = match &self.linker.llvm {
            Some(llvm) => format!("LLVM {llvm}"),
            None => "its own LLVM".to_owned(),
        };
        format!(
            "rustc {} with LLVM {}, bpf-linker {} with {linked}",
            self.version.release, self.version.llvm, self.linker.version
        )
    }

    /// A cargo that compiles with this toolchain.
    pub(super) fn cargo(&self) -> Command {
        let mut cargo = self.compiler.cargo();
        cargo.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &self.linker.path);
        cargo
    }

    /// The folders under which the compiler sees the standard library's sources.
    pub(super) fn standard_library_sources(&self) -> anyhow::Result<Vec<PathBuf>> {
        let installed = library_sources(&self.sysroot);
        let real = fs::canonicalize(&installed)
            .with_context(|| format!("cannot resolve {}", installed.display()))?;
        Ok(vec![installed, real])
    }

    fn complete(compiler: Compiler, linker: &Linker) -> anyhow::Result<Self> {
        let version = CompilerVersion::parse(&command::read(compiler.rustc().arg("-vV"))?)?;
        let sysroot = command::read(compiler.rustc().args(["--print", "sysroot"]))?;
        let sysroot = PathBuf::from(sysroot.trim());
        let sources = library_sources(&sysroot);
        if !sources.join("library/Cargo.lock").is_file() {
            bail!("it lacks the sources of the standard library in {}", sources.display());
        }
        if let Some(llvm) = &linker.llvm
            && major(llvm) < major(&version.llvm)
        {
            bail!(
                "it writes for LLVM {}, and {LINKER} reads up to LLVM {llvm}; install one linked to \
                 LLVM {} or newer",
                version.llvm,
                major(&version.llvm)
            );
        }
        Ok(Self { compiler, version, sysroot, linker: linker.clone() })
    }
}

impl Compiler {
    fn name(self) -> &'static str {
        match self {
            Self::System => SYSTEM_RUSTC,
            Self::Nightly => "rustup's nightly",
        }
    }

    fn rustc(self) -> Command {
        match self {
            Self::System => Command::new(SYSTEM_RUSTC),
            Self::Nightly => rustup_nightly("rustc"),
        }
    }

    fn cargo(self) -> Command {
        match self {
            Self::System => {
                let mut cargo = Command::new(workspace::cargo());
                cargo.env("RUSTC", SYSTEM_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                cargo
            }
            Self::Nightly => rustup_nightly("cargo"),
        }
    }
}

/// A program of rustup's nightly, without what the cargo that runs us says about its own.
fn rustup_nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", program]);
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "RUSTC_BOOTSTRAP"] {
        command.env_remove(variable);
    }
    command
}

impl CompilerVersion {
    /// Reads the output of `rustc -vV`.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let first = text.lines().next().unwrap_or_default();
        let release = first.strip_prefix("rustc ").context("`rustc -vV` names no version")?;
        let release = release.find(')').map_or(release, |end| &release[..=end]);
        let llvm = text
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))
            .context("`rustc -vV` names no LLVM version")?;
        Ok(Self { release: release.to_owned(), llvm: llvm.to_owned() })
    }
}

impl Linker {
    fn find() -> anyhow::Result<Self> {
        let path = command::find(LINKER).with_context(|| {
            format!("{LINKER} is not in the search path; run `cargo xtask build-ebpf --setup`")
        })?;
        let version = linker_version(&path)?;
        let llvm = linked_llvm(&path);
        Ok(Self { path, version, llvm })
    }
}

/// The version of the bpf-linker at `path`, as in `0.13.0`.
pub(super) fn linker_version(path: &Path) -> anyhow::Result<String> {
    let text = command::read(Command::new(path).arg("--version"))?;
    let version = text.trim().rsplit(' ').next().unwrap_or_default();
    Ok(version.to_owned())
}

/// The version of the LLVM library that the program at `path` is linked to, asked of the
/// `llvm-config` that is installed with that library, else read from the library's name.
fn linked_llvm(path: &Path) -> Option<String> {
    let libraries = command::read(Command::new("ldd").arg(path)).ok()?;
    let library = llvm_library(&libraries)?;
    let config = library.parent()?.parent()?.join("bin/llvm-config");
    let asked = command::read(Command::new(config).arg("--version")).ok();
    match asked {
        Some(version) => Some(version.trim().to_owned()),
        None => library.to_str()?.rsplit_once(".so.").map(|(_, version)| version.to_owned()),
    }
}

/// The LLVM library among the lines of `ldd`.
fn llvm_library(libraries: &str) -> Option<&Path> {
    let line = libraries.lines().map(str::trim).find(|line| line.starts_with("libLLVM"))?;
    let (_, path) = line.split_once(" => ")?;
    Some(Path::new(path.split(" (").next().unwrap_or(path)))
}

fn library_sources(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust")
}

fn major(version: &str) -> u32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_names_its_release_and_its_llvm() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
                    binary: rustc\nhost: x86_64-unknown-linux-gnu\nLLVM version: 22.1.8\n";
        let version = CompilerVersion::parse(text).unwrap();
        assert_eq!(version.release, "1.96.0 (ac68faa20 2026-05-25)");
        assert_eq!(version.llvm, "22.1.8");
    }

    #[test]
    fn the_linkers_llvm_is_found_among_its_libraries() {
        let text = "\tlinux-vdso.so.1 (0x00007ffe)\n\
                    \tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x00007f00)\n";
        assert_eq!(llvm_library(text), Some(Path::new("/usr/lib/llvm-22/lib/libLLVM.so.22.1")));
    }

    #[test]
    fn a_linker_with_its_own_llvm_has_none_among_its_libraries() {
        assert_eq!(llvm_library("\tlibc.so.6 => /lib/libc.so.6 (0x00007f00)\n"), None);
    }

    #[test]
    fn only_the_major_version_decides_what_a_linker_can_read() {
        assert_eq!(major("22.1.8"), major("22.1.4"));
        assert!(major("9.0.1") < major("22.1.8"));
    }
}
