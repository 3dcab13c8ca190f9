//! Everything that must hold before a change lands, in one run with one closing line.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::bail;

use crate::tally::Tally;
use crate::{arrows, build_ebpf, command, workspace};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    if !arguments.is_empty() {
        bail!("test takes no arguments; for a part of the tests run cargo test itself");
    }
    let root = workspace::root();
    let mut run = Run { root: &root, tally: Tally::default(), failed: Vec::new() };

    run.step("format", |root| command::run(cargo(root).args(["fmt", "--all", "--check"])));
    run.step("lints", |root| {
        let mut clippy = cargo(root);
        clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        command::run(&mut clippy)?;
        // Which all targets are not: it is run only where it is asked for.
        let mut of_kernel_tests = cargo(root);
        of_kernel_tests.args(["clippy", "--package", "energy-prof", "--test", "kernel"]);
        command::run(of_kernel_tests.args(["--", "-D", "warnings"]))
    });
    run.step("import directions", arrows::check_checkout);
    run.step("committed BPF object", build_ebpf::check_record);
    // The kernel tests are an integration test too, so the targets are named one by one.
    run.tests(
        "tests",
        &["--workspace", "--lib", "--bins", "--test", "suite", "--no-fail-fast"],
        &[],
    );
    run.tests("examples in the documentation", &["--workspace", "--doc", "--no-fail-fast"], &[]);
    if command::is_root() {
        run.tests("kernel tests", KERNEL_TESTS, &["--test-threads=1"]);
    } else {
        run.skip_kernel_tests();
    }
    Ok(run.close())
}

const KERNEL_TESTS: &[&str] = &["--package", "energy-prof", "--test", "kernel"];

/// The steps so far: what was counted, and which of them failed.
struct Run<'a> {
    root: &'a Path,
    tally: Tally,
    failed: Vec<&'static str>,
}

impl Run<'_> {
    /// Does one step; a failure is kept for the end, so that one run shows all of them.
    fn step(&mut self, name: &'static str, work: impl FnOnce(&Path) -> anyhow::Result<()>) {
        println!("\n── {name}");
        let started = Instant::now();
        if let Err(error) = work(self.root) {
            println!("FAILED: {error:#}");
            self.failed.push(name);
        }
        println!("── {name}: {:.1} s", started.elapsed().as_secs_f64());
    }

    /// Runs `cargo test` with these arguments, and counts what its harnesses report.
    fn tests(&mut self, name: &'static str, selection: &[&str], harness: &[&str]) {
        let mut tally = Tally::default();
        self.step(name, |root| {
            let mut test = cargo(root);
            test.arg("test").args(selection).arg("--").args(harness);
            let status = command::stream(&mut test, |line| tally.read_line(line))?;
            if !status.success() {
                bail!("cargo test: {status}");
            }
            Ok(())
        });
        self.tally.add(tally);
    }

    /// Builds the kernel tests all the same, and counts each as skipped.
    fn skip_kernel_tests(&mut self) {
        let mut skipped = 0;
        self.step("kernel tests", |root| {
            let kernel_tests = || {
                let mut test = cargo(root);
                test.arg("test").args(KERNEL_TESTS);
                test
            };
            command::run(kernel_tests().arg("--no-run"))?;
            let listed = command::read(kernel_tests().args(["--", "--list", "--format=terse"]))?;
            skipped = listed.lines().filter(|line| line.ends_with(": test")).count();
            println!(
                "\n!!! {skipped} KERNEL TESTS SKIPPED: they load BPF programs and need root.\n\
                 !!! Run them with `sudo -E cargo xtask test`, or with `cargo xtask vm`.\n"
            );
            Ok(())
        });
        self.tally.add(Tally::not_run(skipped as u64));
    }

    /// The last line stands alone and is the count; what failed besides tests stands above it.
    fn close(self) -> ExitCode {
        if !self.failed.is_empty() {
            println!("\nfailed: {}", self.failed.join(", "));
        }
        println!("\n{}", self.tally);
        if self.failed.is_empty() && self.tally.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(root);
    cargo
}
