//! What belongs to the recorded processes: they, and unless told otherwise, all they have started.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::energy_prof::Place;
use crate::support::load::Program;
use crate::support::recorded::Recorded;

/// A shell with a child that waits, and the programs that both will start while they are recorded.
struct Family {
    shell: Child,
    fifo: std::path::PathBuf,
    child: Program,
    grandchild: Program,
}

impl Family {
    fn new(directory: &Path) -> Self {
        let child = Program::new(directory, "child");
        let grandchild = Program::new(directory, "grandchild");
        let fifo = directory.join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let mut shell = Command::new("sh");
        shell.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut family = Self { shell: shell.spawn().unwrap(), fifo, child, grandchild };
        let waiting = format!(
            "( read line < {}; {}; : ) & echo",
            family.fifo.display(),
            family.grandchild.in_shell(SPELL)
        );
        family.tell(&waiting);
        family
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.shell.stdin.as_mut().unwrap(), "{what}").unwrap();
    }

    /// Has both work; the shell ends after them.
    fn work(&mut self) {
        // Whoever opens this waits for the child to have opened it too.
        fs::write(&self.fifo, "\n").unwrap();
        let script = format!("{}; wait; exit", self.child.in_shell(SPELL));
        self.tell(&script);
    }
}

const SPELL: Duration = Duration::from_millis(20);

/// Which of a family are targets in a recording of its shell: the shell, the child, the grandchild.
fn targets_of_a_family(options: &[&str]) -> [bool; 3] {
    let place = Place::new();
    let mut family = Family::new(place.root());
    let pid = family.shell.id();
    let recording = place.recording(options, &["-p", &pid.to_string()]);
    family.work();
    assert!(family.shell.wait().unwrap().success());
    let output = recording.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let recorded = Recorded::of(&place);
    assert_eq!(recorded.session.ended.as_deref(), Some("all targets exited"));
    let others = recorded.threads_where(|info| info.target && info.tgid == std::process::id());
    assert!(others.is_empty(), "{others:#?}");
    let shell = recorded.thread(pid).1.target;
    let [child, grandchild] =
        [&family.child, &family.grandchild].map(|program| is_target(&recorded, program));
    [shell, child, grandchild]
}

/// Whether the threads of `program` are targets: all of them or none.
fn is_target(recorded: &Recorded, program: &Program) -> bool {
    let threads = recorded.threads_where(|info| info.exe.as_deref() == Some(program.path()));
    assert!(!threads.is_empty(), "{} is missing: {:#?}", program.path(), recorded.threads);
    let first = threads[0].1.target;
    assert!(threads.iter().all(|(_, info)| info.target == first), "{threads:#?}");
    first
}

#[test]
fn descendants_of_a_recorded_process_are_targets() {
    assert_eq!(targets_of_a_family(&["-q"]), [true, true, true]);
}

#[test]
fn without_inheritance_only_the_recorded_process_is_a_target() {
    assert_eq!(targets_of_a_family(&["-q", "--no-inherit"]), [true, false, false]);
}

/// Which are targets in a recording of a command: the shell, the child, the grandchild.
fn targets_of_a_command(options: &[&str]) -> [bool; 3] {
    let place = Place::new();
    let child = Program::new(place.root(), "child");
    let grandchild = Program::new(place.root(), "grandchild");
    let script = format!("( {}; : ) & {}; wait", grandchild.in_shell(SPELL), child.in_shell(SPELL));
    place.recorded(options, &["--", "sh", "-c", &script]);
    let recorded = Recorded::of(&place);
    let energy_prof::trace::Target::Command { pid, .. } = recorded.session.target else {
        panic!("{:?}", recorded.session.target);
    };
    let shell = recorded.threads_where(|info| info.tid == pid);
    assert_eq!(shell.len(), 1, "{shell:#?}");
    [shell[0].1.target, is_target(&recorded, &child), is_target(&recorded, &grandchild)]
}

#[test]
fn descendants_of_a_command_are_targets() {
    assert_eq!(targets_of_a_command(&["-q"]), [true, true, true]);
}

#[test]
fn without_inheritance_only_the_command_is_a_target() {
    assert_eq!(targets_of_a_command(&["-q", "--no-inherit"]), [true, false, false]);
}
