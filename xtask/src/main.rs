//! The tasks of this repository, run as `cargo xtask TASK`.
//! A new task is one file and one row of [`TASKS`].

mod arrows;
mod bench;
mod build_ebpf;
mod command;
mod record;
mod tally;
mod test;
mod vm;
mod workspace;

use std::fmt::Write as _;
use std::process::ExitCode;

/// Something this repository can do for its developers.
struct Task {
    name: &'static str,
    /// The arguments, as the usage text shows them.
    arguments: &'static str,
    summary: &'static str,
    /// Returns the exit code of a task that has already said what failed.
    run: fn(&[String]) -> anyhow::Result<ExitCode>,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "",
        summary: "format, lints, import directions, every test this user may run",
        run: test::run,
    },
    Task {
        name: "record",
        arguments: "[CMD…]",
        summary: "build energy-prof, record a command with it, and report: the whole way once",
        run: record::run,
    },
    Task {
        name: "arrows",
        arguments: "",
        summary: "compare the imports of energy-user with the architecture",
        run: arrows::run,
    },
    Task {
        name: "build-ebpf",
        arguments: "[--check | --setup]",
        summary: "build the committed BPF object, compare it, or install what builds it",
        run: build_ebpf::run,
    },
    Task {
        name: "bench",
        arguments: "[--rounds N] [--seconds N] [--program FILE] NAME…",
        summary: "measure what energy-prof costs and how right it is: hook, pingpong, functions, …, or all",
        run: bench::run,
    },
    Task {
        name: "vm",
        arguments: "[KERNEL…] [-- TEST-ARGS…]",
        summary: "run the kernel tests under other kernels: 6.1, 6.12, 6.12-rt, all, a .deb, a vmlinuz",
        run: vm::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("there is no task `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (task.run)(rest) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask TASK\n\n");
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        let _ = writeln!(text, "  {}\n      {}", call.trim_end(), task.summary);
    }
    text
}
