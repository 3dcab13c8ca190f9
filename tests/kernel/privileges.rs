//! Who a recorder is, and what it may: everything at first, as little as it can do with from then on.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use caps::Capability;
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use crate::support::busy::Busy;
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::nobody::{
    NOBODY, as_nobody, as_nobody_with, give_to_nobody, in_group, open_to_all,
};
use crate::support::outcome::Outcome;
use crate::support::recorder::{KEPT, Recorder, capabilities};
use crate::support::skip::skip;

/// What the manual tells to give a binary that is to record without root.
const ENOUGH: [Capability; 4] = [
    Capability::CAP_BPF,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_READ_SEARCH,
];

/// What the shell started as a command says about itself.
const WHO: &str = "echo uid $(id -u) gid $(id -g) groups $(id -G)
    echo home $HOME user $USER logname $LOGNAME
    env | grep ^SUDO
    grep ^Cap /proc/self/status";

/// The recording as `sudo` of nobody's would start it.
fn behind_sudo(command: &mut Command) -> &mut Command {
    let id = NOBODY.to_string();
    command.env("SUDO_UID", &id).env("SUDO_GID", &id).env("SUDO_USER", "nobody");
    command.env("SUDO_COMMAND", "energy-prof record").env("HOME", "/root").env("USER", "root")
}

/// A place that nobody may use.
fn place_of_nobody() -> Place {
    let place = Place::new();
    open_to_all(place.root());
    give_to_nobody(place.root());
    place
}

/// That `directory` and everything in it belongs to nobody, and only nobody may look.
#[track_caller]
fn assert_is_nobodys(directory: &Path) {
    let check = |path: &Path, mode: u32| {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{}", path.display());
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{}", path.display());
    };
    check(directory, 0o700);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_is_nobodys(&path);
        } else if path.exists() {
            // A part that was just being written may have been renamed since.
            check(&path, 0o600);
        }
    }
}

/// A capability set of every thread of a process.
fn of_all_threads(pid: u32, set: &str) -> Vec<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .map(|task| capabilities(task.unwrap().path().join("status").to_str().unwrap(), set))
        .collect()
}

#[test]
fn a_recorder_keeps_only_the_rights_it_still_needs() {
    let place = Place::new();
    let recorder = Recorder::begun(&mut place.record(&["-q"], &["-a"]));
    for set in ["CapEff", "CapPrm"] {
        assert!(of_all_threads(recorder.id(), set).iter().all(|mask| *mask == KEPT), "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert!(of_all_threads(recorder.id(), set).iter().all(|mask| *mask == 0), "{set}");
    }
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();
}

#[test]
fn a_thread_that_writes_the_trace_has_no_more_rights_than_the_recorder() {
    let place = Place::new();
    // The first part has been written, so that every thread there will be is there.
    let mut child = place.recording(&["-q"], &["-a"]);
    let masks = of_all_threads(child.id(), "CapPrm");
    assert!(masks.len() > 1 && masks.iter().all(|mask| *mask == KEPT), "{masks:x?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn behind_sudo_the_command_is_its_users_own() {
    let place = place_of_nobody();
    let mut command = place.record(&["-q"], &["--", "sh", "-c", WHO]);
    // The group is root's, and must not become the user's.
    let said = in_group(12_345, || Outcome::of(behind_sudo(&mut command))).succeeded().stdout;
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("uid 65534 gid 65534 groups 65534"), "{said}");
    let account = User::from_uid(Uid::from_raw(NOBODY)).unwrap();
    let own = account.map_or("home / user logname".to_owned(), |user| {
        format!("home {} user {} logname {}", user.dir.display(), user.name, user.name)
    });
    assert_eq!(lines.next().map(|line| line.trim_end().replace("  ", " ")), Some(own), "{said}");
    assert!(!said.contains("SUDO"), "{said}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(said.contains(&format!("{set}:\t0000000000000000\n")), "{said}");
    }
}

#[test]
fn behind_sudo_the_trace_is_its_users_own_from_the_first_moment() {
    let place = place_of_nobody();
    let mut command = place.record(&["-q", "--window", "10ms"], &["-a"]);
    let recorder = Recorder::begun(behind_sudo(&mut command));
    while !place.trace().join("parts/windows.000001.parquet").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_is_nobodys(&place.trace());
    recorder.signal(Signal::SIGINT);
    recorder.end().succeeded();
    assert_is_nobodys(&place.trace());
    // And so the user can read it, divide it, and remove it.
    Outcome::of(as_nobody(place.root()).arg("report").arg(place.trace())).succeeded();
    Outcome::of(as_nobody(place.root()).arg("attribute").arg(place.trace())).succeeded();
    // What root adds to it belongs to the user, too.
    fs::remove_file(place.trace().join("attributed.parquet")).unwrap();
    Outcome::of(energy_prof().arg("attribute").arg(place.trace())).succeeded();
    assert_is_nobodys(&place.trace());
}

#[test]
fn as_root_means_the_command_is_roots_and_the_trace_still_the_users() {
    let place = place_of_nobody();
    let mut command = place.record(&["-q", "--as-root"], &["--", "sh", "-c", WHO]);
    let said = Outcome::of(behind_sudo(&mut command)).succeeded().stdout;
    assert!(said.starts_with("uid 0 gid 0 "), "{said}");
    assert!(said.contains("home /root user root"), "{said}");
    assert_is_nobodys(&place.trace());
}

#[test]
fn stat_behind_sudo_runs_the_command_as_its_user_every_time() {
    let mut command = energy_prof();
    command.args(["stat", "-r", "2", "--", "id", "-u"]);
    assert_eq!(Outcome::of(behind_sudo(&mut command)).succeeded().stdout, "65534\n65534\n");
    command = energy_prof();
    command.args(["stat", "--as-root", "--", "id", "-u"]);
    assert_eq!(Outcome::of(behind_sudo(&mut command)).succeeded().stdout, "0\n");
}

#[test]
fn a_root_who_called_sudo_and_nonsense_in_its_variables_change_nothing() {
    for (uid, gid) in [("0", "0"), ("-1", "5"), ("x", "y"), ("65534", ""), ("4294967296", "1")] {
        let place = Place::new();
        let mut command = place.record(&["-q"], &["--", "id", "-u"]);
        command.env("SUDO_UID", uid).env("SUDO_GID", gid);
        assert_eq!(Outcome::of(&mut command).succeeded().stdout, "0\n", "{uid} {gid}");
        assert_eq!(fs::metadata(place.trace()).unwrap().uid(), 0, "{uid} {gid}");
    }
}

#[test]
fn a_signal_is_passed_on_to_a_command_that_is_another_users() {
    let place = place_of_nobody();
    let mut command = place.record(&["-q"], &["--", "sleep", "120"]);
    let recorder = Recorder::begun(behind_sudo(&mut command));
    recorder.signal(Signal::SIGTERM);
    // This waits for the command, too: it has the same standard output.
    recorder.end().succeeded();
    assert_eq!(place.reader().session().ended.as_deref(), Some("interrupted (SIGTERM)"));
}

/// Debian's kernels know a third level, at which only root may open perf events.
fn root_alone_may_sample() -> bool {
    let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap();
    level.trim().parse::<i32>().unwrap() > 2
}

/// How somebody who is not root records here.
fn stacks() -> &'static [&'static str] {
    if root_alone_may_sample() { &["--no-stacks"] } else { &[] }
}

#[test]
fn where_root_alone_may_sample_that_is_told() {
    if !root_alone_may_sample() {
        return skip("this kernel lets CAP_PERFMON sample");
    }
    let place = place_of_nobody();
    let program = as_nobody(place.root()).get_program().to_owned();
    let record = || {
        let mut command = Command::new(&program);
        Outcome::of(command.arg("record").arg("-o").arg(place.trace()).args(["--", "true"]))
    };
    let words = ["kernel.perf_event_paranoid is 3", "--no-stacks"];
    as_nobody_with(&ENOUGH, record).refused(3, &words);
}

#[test]
fn four_capabilities_are_enough_to_record_without_root() {
    let place = place_of_nobody();
    let mut busy = Busy::start();
    let pid = busy.pid().to_string();
    let program = as_nobody(place.root()).get_program().to_owned();
    for target in [&["-d", "300ms", "-p", &pid][..], &["-a", "-d", "100ms"], &["--", "true"]] {
        let record = || {
            let mut command = Command::new(&program);
            command.arg("record").arg("-o").arg(place.trace()).args(stacks()).args(target);
            Outcome::of(&mut command)
        };
        as_nobody_with(&ENOUGH, record).succeeded();
        assert_is_nobodys(&place.trace());
    }
    // Another user's process is named as well as root would name it.
    let old = energy_prof::trace::TraceReader::open(&place.root().join("energy.trace.old"));
    let threads = old.unwrap().threads().unwrap();
    let named = threads.values().find(|thread| thread.tgid == busy.pid()).unwrap();
    assert!(named.exe.is_some() && named.cmdline.as_deref().unwrap().contains("while :"));
    busy.assert_runs();
}

#[test]
fn a_directory_that_is_closed_to_the_user_is_told_with_the_way_out() {
    let place = Place::new();
    open_to_all(place.root());
    let program = as_nobody(place.root()).get_program().to_owned();
    let record = || {
        let mut command = Command::new(&program);
        command.arg("record").arg("-o").arg(place.trace()).args(stacks()).args(["--", "true"]);
        Outcome::of(&mut command)
    };
    let refusal = as_nobody_with(&ENOUGH, record);
    refusal.refused(8, &["cannot create", "permission denied", "may write to with -o"]);
    assert!(!place.trace().exists());
}
