//! The programs of tests/workloads, compiled where a test needs them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles one of them into `directory`, with what its frames and lines need. `Err` says why not.
pub(crate) fn compile(directory: &Path, source: &str) -> Result<PathBuf, String> {
    compile_as(directory, source, source.split('.').next().unwrap(), &[])
}

/// The same under another name, with further options of its compiler.
pub(crate) fn compile_as(
    directory: &Path,
    source: &str,
    name: &str,
    options: &[&str],
) -> Result<PathBuf, String> {
    const C: &[&str] = &["-O1", "-g", "-fno-omit-frame-pointer", "-pthread"];
    const RUST: &[&str] = &[
        "--edition=2021",
        "-O",
        "-g",
        "-Cforce-frame-pointers=yes",
        "-Csymbol-mangling-version=v0",
    ];
    let (compiler, usual) = match source.rsplit('.').next().unwrap() {
        "c" => ("gcc", C),
        "cpp" => ("g++", C),
        "go" => ("go", &["build"][..]),
        _ => ("rustc", RUST),
    };
    // The path that debug information carries and processes show.
    let program = directory.canonicalize().unwrap().join(name);
    let mut command = Command::new(compiler);
    command.args(usual).args(options).arg("-o").arg(&program).arg(path_of(source));
    // Of Go, which else keeps what it built in the user's home, and wants a module around the file.
    command.env("GOCACHE", directory.join("go-cache")).env("GO111MODULE", "off");
    let output = command.output().map_err(|why| format!("no {compiler}: {why}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(program)
}

/// Where a program's source is.
pub(crate) fn path_of(source: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/workloads");
    here.join(source).canonicalize().unwrap()
}

/// What a program printed: names, and a number for each.
pub(crate) fn numbers(said: &[u8]) -> Vec<(String, u64)> {
    let said = String::from_utf8(said.to_vec()).unwrap();
    let number = |line: &str| {
        let (name, number) = line.split_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    said.lines().map(number).collect()
}
