//! The machine that the tests run in: what is in it, how it boots, and what it answered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::initramfs::Archive;
use super::kernel::Kernel;
use crate::tally::Tally;
use crate::{command, workspace};

const EMULATOR: &str = "qemu-system-x86_64";

/// The line with which the guest hands out how the tests ended.
const EXIT_LINE: &str = "guest: the tests ended with ";

/// Longer than the tests take when emulated, shorter than anyone's patience.
const LIMIT_SECONDS: u32 = 1_200;

/// What runs in the guest.
pub(super) struct Programs {
    /// The kernel tests.
    test: PathBuf,
    /// `energy-prof`, which the tests start by the path that was compiled into them.
    energy_prof: PathBuf,
    /// The package's folder, in which cargo would run the tests.
    package: PathBuf,
    /// What tests read, if there is any.
    fixtures: PathBuf,
    busybox: PathBuf,
}

impl Programs {
    /// Builds the tests and looks for the rest.
    pub(super) fn build(root: &Path) -> anyhow::Result<Self> {
        let busybox = command::find("busybox")
            .context("busybox is not in the search path; run `apt-get install busybox-static`")?;
        if command::find(EMULATOR).is_none() {
            bail!("{EMULATOR} is not in the search path; run `apt-get install qemu-system-x86`");
        }
        let cargo_test = || {
            let mut cargo = Command::new(workspace::cargo());
            cargo.args(["test", "--no-run", "--package", "energy-prof", "--test", "kernel"]);
            cargo.current_dir(root);
            cargo
        };
        // Once to be watched, and once more, with nothing left to do, to be asked for the paths.
        command::run(&mut cargo_test())?;
        let built = command::read(cargo_test().arg("--message-format=json"))?;
        Ok(Self {
            test: executable(&built, "test", "kernel")?,
            energy_prof: executable(&built, "bin", "energy-prof")?,
            package: root.join("energy-user"),
            fixtures: root.join("tests/fixtures"),
            busybox,
        })
    }
}

/// The initramfs that runs the tests with these arguments and then turns the guest off.
pub(super) fn image(programs: &Programs, harness: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/bin", "/sbin", "/usr/bin"] {
        archive.folder(Path::new(folder));
    }
    archive.folder(&programs.package);
    archive.file(Path::new("/init"), 0o755, init_script(programs, harness).as_bytes());
    archive.file(Path::new("/etc/passwd"), 0o644, b"root:x:0:0:root:/root:/bin/sh\n");
    archive.file(Path::new("/etc/group"), 0o644, b"root:x:0:\n");
    let busybox = std::fs::read(&programs.busybox)
        .with_context(|| format!("cannot read {}", programs.busybox.display()))?;
    archive.file(Path::new("/bin/busybox"), 0o755, &busybox);
    let mut needed = BTreeSet::new();
    for program in [&programs.test, &programs.energy_prof, &programs.busybox] {
        needed.extend(libraries(program)?);
    }
    archive.copy(&programs.test)?;
    archive.copy(&programs.energy_prof)?;
    for library in needed {
        archive.copy(&library)?;
    }
    if programs.fixtures.is_dir() {
        archive.copy_tree(&programs.fixtures)?;
    }
    Ok(archive.finish())
}

/// A guest that is ready to boot.
pub(super) struct Guest<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) initramfs: &'a Path,
}

impl Guest<'_> {
    /// Boots, shows what the guest prints, and counts the tests in it.
    pub(super) fn run(&self, tally: &mut Tally) -> anyhow::Result<()> {
        let mut ended = None;
        let status = command::stream(&mut self.emulator(), |line| {
            tally.read_line(line);
            if let Some(code) = line.strip_prefix(EXIT_LINE) {
                ended = Some(code.to_owned());
            }
        })?;
        match ended.as_deref() {
            Some("0") => Ok(()),
            Some(code) => bail!("the tests ended with exit code {code}"),
            // The exit code of timeout(1) for a program that it had to end.
            None if status.code() == Some(124) => {
                bail!("the tests did not end within {LIMIT_SECONDS} s")
            }
            None => bail!("the guest stopped before the tests ended; see its last lines above"),
        }
    }

    fn emulator(&self) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--foreground", &LIMIT_SECONDS.to_string(), EMULATOR]);
        // Emulated on purpose: nested virtualisation is missing or broken on many build machines.
        command.args(["-accel", "tcg", "-m", "1024", "-smp", "2", "-no-reboot", "-nodefaults"]);
        command.args(["-display", "none", "-serial", "stdio"]);
        command.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(self.initramfs);
        command.args(["-append", "console=ttyS0 panic=-1 quiet"]);
        command
    }
}

fn init_script(programs: &Programs, harness: &[String]) -> String {
    let harness: Vec<String> = harness.iter().map(|argument| quote(argument)).collect();
    format!(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         export PATH=/bin:/sbin:/usr/bin HOME=/root TMPDIR=/tmp RUST_BACKTRACE=1\n\
         export CARGO_MANIFEST_DIR={package}\n\
         mount -t devtmpfs dev /dev\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sys /sys\n\
         mount -t cgroup2 cgroup /sys/fs/cgroup\n\
         mount -t bpf bpf /sys/fs/bpf\n\
         mount -t tracefs trace /sys/kernel/tracing\n\
         ip link set lo up\n\
         cd {package}\n\
         echo guest: $(uname -r), $(nproc) CPUs\n\
         {test} --test-threads=1 {harness}\n\
         echo {EXIT_LINE}$?\n\
         poweroff -f\n",
        package = quote(&programs.package.to_string_lossy()),
        test = quote(&programs.test.to_string_lossy()),
        harness = harness.join(" "),
    )
}

/// A word that the shell takes as it is.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The path of what cargo built for a target, from its messages.
fn executable(messages: &str, kind: &str, name: &str) -> anyhow::Result<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["target"]["name"] == name && message["target"]["kind"][0] == kind)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo names no executable for the {kind} `{name}`"))
}

/// The shared libraries and the loader that a program needs, or nothing where it is static.
fn libraries(program: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot start `ldd`")?;
    Ok(library_paths(&String::from_utf8_lossy(&output.stdout)))
}

/// The paths among the lines of `ldd`: `name => path (address)`, or `path (address)` for the loader.
fn library_paths(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let path = line.split_once(" => ").map_or(line, |(_, path)| path);
            let path = path.split(" (").next()?;
            path.starts_with('/').then(|| PathBuf::from(path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_by_its_target() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"energy_prof"},"executable":null}"#,
            "\nnot a message\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"kernel"},"executable":"/t/kernel-1"}"#,
        );
        assert_eq!(executable(messages, "test", "kernel").unwrap(), Path::new("/t/kernel-1"));
        assert!(executable(messages, "bin", "energy-prof").is_err());
    }

    #[test]
    fn libraries_and_the_loader_have_paths() {
        let text = "\tlinux-vdso.so.1 (0x00007ffe)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f00)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f01)\n";
        assert_eq!(
            library_paths(text),
            [
                PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"),
                PathBuf::from("/lib64/ld-linux-x86-64.so.2")
            ]
        );
        assert!(library_paths("\tstatically linked\n").is_empty());
    }

    #[test]
    fn a_quoted_word_may_hold_a_quote() {
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
