//! Builds the BPF object that `energy-user` embeds, or shows that the committed one is what the
//! sources give.
//!
//! The same sources, compiler and linker give the same bytes in any checkout: paths are mapped to
//! fixed names, there is no debug information (aya's maps need none), and the settings that could
//! come from outside are fixed here. Users never run this: a plain `cargo build` embeds the object.

mod record;
mod setup;
mod toolchain;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

use crate::{command, workspace};
use record::Record;
use toolchain::Toolchain;

/// The object, relative to the top of the checkout.
const OBJECT: &str = "energy-user/src/probes/energy-probes.bpf.o";

const TARGET: &str = "bpfel-unknown-none";
const PACKAGE: &str = "energy-ebpf";
const PROGRAM: &str = "energy-probes";

/// What the object is compiled for: version 3 of the instruction set has the fetching atomics and
/// the 32-bit jumps, and every kernel from 5.12 on runs it.
const INSTRUCTION_SET: &str = "v3";

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = workspace::root();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => build(&root)?,
        ["--check"] => check(&root)?,
        ["--setup"] => setup::install()?,
        _ => bail!("build-ebpf takes nothing, --check or --setup, not `{}`", arguments.join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the committed object was built from the sources beside it. Needs no BPF toolchain, and
/// so believes what the record says; `--check` is the proof.
pub(crate) fn check_record(root: &Path) -> anyhow::Result<()> {
    let recorded = Record::read(&record_path(root))?;
    if recorded.sources != record::hash_sources(&root.join(PACKAGE))? {
        bail!(
            "{OBJECT} is older than the sources in {PACKAGE}; \
             run `cargo xtask build-ebpf` and commit what it writes"
        );
    }
    if recorded.object != record::hash(&read_object(root)?) {
        bail!(
            "{OBJECT} is not the file that its record names; \
             run `cargo xtask build-ebpf` and commit both files together"
        );
    }
    Ok(())
}

fn build(root: &Path) -> anyhow::Result<()> {
    let toolchain = Toolchain::find(None)?;
    let object = compile(root, &toolchain)?;
    let path = root.join(OBJECT);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    fs::write(&path, &object).with_context(|| format!("cannot write {}", path.display()))?;
    let record = Record {
        sources: record::hash_sources(&root.join(PACKAGE))?,
        object: record::hash(&object),
        toolchain: toolchain.versions(),
    };
    record.write(&record_path(root))?;
    println!("{OBJECT}: {} bytes, built with {}", object.len(), toolchain.versions());
    Ok(())
}

fn check(root: &Path) -> anyhow::Result<()> {
    let recorded = Record::read(&record_path(root))?;
    let toolchain = Toolchain::find(Some(&recorded.toolchain))?;
    let rebuilt = compile(root, &toolchain)?;
    let committed = read_object(root)?;
    let versions = toolchain.versions();
    if rebuilt != committed {
        let place = first_difference(&committed, &rebuilt);
        let sizes = format!("{} bytes committed, {} rebuilt", committed.len(), rebuilt.len());
        if versions == recorded.toolchain {
            bail!(
                "{OBJECT} is not what the sources give ({sizes}, first difference at byte {place}); \
                 run `cargo xtask build-ebpf` and commit what it writes"
            );
        }
        bail!(
            "{OBJECT} is not what the sources give here ({sizes}, first difference at byte {place}). \
             It was built with {}, and this machine has {versions}: another compiler may give other \
             bytes. If the sources did not change, run `cargo xtask build-ebpf --setup`, build \
             again and commit",
            recorded.toolchain
        );
    }
    check_record(root)?;
    println!("{OBJECT} is what the sources give: {} bytes, {versions}", committed.len());
    Ok(())
}

/// Compiles the BPF side and returns the object's bytes.
fn compile(root: &Path, toolchain: &Toolchain) -> anyhow::Result<Vec<u8>> {
    // The crates' sources must be unpacked before their folders can be given fixed names.
    command::run(Command::new(workspace::cargo()).arg("fetch").arg("--quiet").current_dir(root))?;
    let target = workspace::target().join("bpf");
    let mut cargo = toolchain.cargo();
    cargo.current_dir(root);
    cargo.args(["build", "--release", "-Zbuild-std=core", "--target", TARGET]);
    cargo.args(["--package", PACKAGE, "--bin", PROGRAM, "--target-dir"]).arg(&target);
    fix_settings(&mut cargo);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags(root, &target, toolchain)?);
    command::run(&mut cargo)?;
    let built = target.join(TARGET).join("release").join(PROGRAM);
    fs::read(&built).with_context(|| format!("cannot read the built object {}", built.display()))
}

/// Settings that a developer's environment or the workspace's release profile would bring in.
fn fix_settings(cargo: &mut Command) {
    for (name, value) in [
        ("RUSTC_WRAPPER", ""),
        ("RUSTC_WORKSPACE_WRAPPER", ""),
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
        ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
        ("CARGO_PROFILE_RELEASE_STRIP", "none"),
        ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "false"),
        ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
        // bpf-linker joins and optimises the whole program by itself.
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
        // aya's bindings differ between machines in `pt_regs` only, which no program here reads;
        // without this the object would depend on the machine that builds it.
        ("AYA_BPF_TARGET_ARCH", "x86_64"),
    ] {
        cargo.env(name, value);
    }
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
}

fn rustflags(root: &Path, target: &Path, toolchain: &Toolchain) -> anyhow::Result<OsString> {
    let mut flags = vec![
        OsString::from(format!("-Ctarget-cpu={INSTRUCTION_SET}")),
        // No other step lints the code that only the BPF target sees.
        OsString::from("-Dwarnings"),
    ];
    // The last mapping that fits a path wins, so the inner folders come last.
    flags.push(map_path(root, "/energy-prof"));
    flags.push(map_path(target, "/energy-prof/target/bpf"));
    for sources in crate_sources()? {
        flags.push(map_path(&sources, "/crates"));
    }
    for sources in toolchain.standard_library_sources()? {
        flags.push(map_path(&sources, "/rust"));
    }
    // Cargo splits this variable at the unit separator, so that paths may hold spaces.
    Ok(flags.join(OsStr::new("\u{1f}")))
}

fn map_path(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// The folders that cargo unpacks crates into, one for each registry that it knows.
fn crate_sources() -> anyhow::Result<Vec<PathBuf>> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set, so crates cannot be found")?;
    let unpacked = home.join("registry/src");
    let entries = fs::read_dir(&unpacked)
        .with_context(|| format!("cannot list cargo's crates in {}", unpacked.display()))?;
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(|| format!("cannot list cargo's crates in {}", unpacked.display()))
}

fn read_object(root: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(root.join(OBJECT)).with_context(|| {
        format!("cannot read {OBJECT}; run `cargo xtask build-ebpf` and commit what it writes")
    })
}

fn record_path(root: &Path) -> PathBuf {
    root.join(format!("{OBJECT}.sources"))
}

fn first_difference(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_counted_from_zero() {
        assert_eq!(first_difference(b"abcd", b"abxd"), 2);
    }

    #[test]
    fn a_longer_object_differs_where_the_shorter_one_ends() {
        assert_eq!(first_difference(b"ab", b"abc"), 2);
    }
}
