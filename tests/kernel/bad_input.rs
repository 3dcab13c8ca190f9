//! What is wrong from outside, while root: each told in one sentence, with its exit code, and nothing
//! that was recorded before is lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use caps::Capability;
use energy_prof::model::{ThreadInfo, Window};
use energy_prof::trace::{Ending, SessionState, TraceReader};

use crate::support::busy::Busy;
use crate::support::energy_prof::{Place, energy_prof};
use crate::support::fake_machine::FakeMachine;
use crate::support::nobody::as_root_without;
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;
use crate::support::skip::skip;

/// `energy-prof record … -o HERE …`, run to its end.
fn record(place: &Place, options: &[&str], target: &[&str]) -> Outcome {
    Outcome::of(&mut place.record(options, target))
}

/// A place with a trace and one kept from before.
fn recorded_twice() -> Place {
    let place = Place::new();
    place.recorded(&["-q"], &["--", "true"]);
    place.recorded(&["-q"], &["--", "true"]);
    place
}

/// When the trace in a directory began, which tells it from others.
fn beginning(trace: &Path) -> u64 {
    TraceReader::open(trace).unwrap().session().clock.monotonic_start_ns
}

fn old(place: &Place) -> PathBuf {
    place.root().join("energy.trace.old")
}

/// That windows follow each other without a hole, from the first.
#[track_caller]
fn assert_whole(windows: &[Window]) {
    for (number, pair) in windows.windows(2).enumerate() {
        assert_eq!(pair[0].end, pair[1].start, "after window {number}");
    }
    for (number, window) in (0..).zip(windows) {
        assert_eq!(window.index, number);
    }
}

#[test]
fn root_without_the_right_to_load_programs_is_told_what_withholds_it() {
    let place = Place::new();
    let bpf = [Capability::CAP_BPF, Capability::CAP_SYS_ADMIN, Capability::CAP_PERFMON];
    let refusal = as_root_without(&bpf, || record(&place, &[], &["--", "true"]));
    refusal.refused(3, &["although running as root", "--privileged", "cap_bpf", "lockdown"]);
    // CAP_BPF loads programs, but attaching them needs CAP_PERFMON, too.
    let refusal = as_root_without(&bpf[1..], || record(&place, &[], &["--", "true"]));
    refusal.refused(3, &["although running as root", "cap_perfmon"]);
    assert!(!place.trace().exists());
    let doctor = as_root_without(&bpf, || Outcome::of(energy_prof().args(["doctor", "--json"])));
    let report: serde_json::Value = serde_json::from_str(&doctor.succeeded().stdout).unwrap();
    assert_eq!(report["can_record"], false);
}

#[test]
fn a_process_that_is_not_there_is_told_with_a_way_to_find_one() {
    let place = recorded_twice();
    let before = [beginning(&place.trace()), beginning(&old(&place))];
    // The highest number the kernel ever gives is 2^22 - 1.
    for pid in ["4194304", "4294967295"] {
        record(&place, &["--force"], &["-p", pid]).refused(5, &["no process", pid, "ps -e"]);
    }
    // One that is there does not make up for one that is not.
    let pids = format!("{},4194304", std::process::id());
    record(&place, &["--force"], &["-p", &pids]).refused(5, &["no process 4194304"]);
    assert_eq!([beginning(&place.trace()), beginning(&old(&place))], before);
}

#[test]
fn a_thread_is_told_with_its_process() {
    let place = Place::new();
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        tell.send(nix::unistd::gettid().as_raw()).unwrap();
        // Ends when the other side is dropped.
        let _ = stopped.recv();
    });
    let tid = told.recv().unwrap().to_string();
    let me = std::process::id().to_string();
    let way_out = format!("-p {me}");
    record(&place, &[], &["-p", &tid]).refused(5, &[&tid, "a thread of process", &me, &way_out]);
    drop(stop);
    thread.join().unwrap();
}

#[test]
fn energy_prof_does_not_record_itself_as_a_target() {
    let place = Place::new();
    let mut shell = Command::new("sh");
    // The shell becomes the recorder, and so knows its number.
    shell.args(["-c", "exec \"$0\" record -o \"$1\" -p $$"]);
    shell.arg(energy_prof().get_program()).arg(place.trace());
    Outcome::of(&mut shell).refused(5, &["it is energy-prof itself", "give another process"]);
    assert!(!place.trace().exists());
}

#[test]
fn a_process_that_has_exited_and_is_not_yet_reaped_ends_the_recording_at_once() {
    let place = Place::new();
    let mut zombie = Command::new("true").spawn().unwrap();
    let stat = format!("/proc/{}/stat", zombie.id());
    while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::sleep(Duration::from_millis(5));
    }
    record(&place, &["-q"], &["-p", &zombie.id().to_string()]).succeeded();
    assert_eq!(place.reader().session().ended.as_deref(), Some("all targets exited"));
    zombie.wait().unwrap();
}

#[test]
fn a_process_that_exits_at_any_moment_is_recorded_or_told_to_be_gone() {
    for milliseconds in [0, 5, 10, 20, 40, 80, 160] {
        let place = Place::new();
        let mut target = Command::new("sleep").arg(format!("0.{milliseconds:03}")).spawn().unwrap();
        let pid = target.id().to_string();
        let recorder = Recorder::start(&mut place.record(&["-q"], &["-p", &pid]));
        target.wait().unwrap();
        let outcome = recorder.end();
        if outcome.code == 5 {
            outcome.refused(5, &["no process", &pid]);
        } else {
            outcome.succeeded();
            assert_eq!(place.reader().session().ended.as_deref(), Some("all targets exited"));
            assert_whole(&place.reader().windows().unwrap());
        }
    }
}

#[test]
fn a_command_that_cannot_be_started_costs_no_older_trace() {
    let place = recorded_twice();
    let before = [beginning(&place.trace()), beginning(&old(&place))];
    let text = place.root().join("text");
    fs::write(&text, "not a program").unwrap();
    let text = text.to_str().unwrap().to_owned();
    let mistyped = |options: &[&str]| {
        record(&place, options, &["--", "mkae"]).refused(127, &["mkae", "command not found"]);
        record(&place, options, &["--", ""]).refused(127, &["command not found"]);
        record(&place, options, &["--", &text]).refused(126, &["permission denied", "executable"]);
        record(&place, options, &["--", "/"]).refused(126, &["permission denied"]);
    };
    mistyped(&[]);
    mistyped(&["--force"]);
    assert_eq!([beginning(&place.trace()), beginning(&old(&place))], before);
    // What only the kernel can tell is found out once the older trace was moved. It is not lost.
    fs::set_permissions(&text, Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let refusal = record(&place, &[], &["--", &text]);
        refusal.refused(126, &["Exec format error", "must be an executable file"]);
        assert!(!place.trace().exists());
        assert_eq!(beginning(&old(&place)), before[0]);
    }
}

#[test]
fn a_command_that_fails_or_is_killed_is_recorded_and_its_code_passed_on() {
    let place = Place::new();
    for (script, code) in
        [("exit 7", 7), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -SEGV $$", 139)]
    {
        let outcome = record(&place, &["-q"], &["--", "sh", "-c", script]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (code, ""), "{script}");
        let reader = place.reader();
        assert_eq!(reader.session().state, SessionState::Complete);
        assert_eq!(reader.session().exit_code, Some(code));
    }
    let outcome = Outcome::of(energy_prof().args(["stat", "--json", "-r", "3", "--", "false"]));
    assert_eq!(outcome.code, 1);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_place_that_is_taken_or_not_there_is_told_before_anything_is_recorded() {
    let place = Place::new();
    let root = place.root();
    fs::create_dir(root.join("photos")).unwrap();
    fs::write(root.join("photos/cat.jpg"), "cat").unwrap();
    fs::write(root.join("file"), "notes").unwrap();
    std::os::unix::fs::symlink(root.join("photos"), root.join("link")).unwrap();
    for (place, words) in [
        ("photos", &["photos", "not an energy-prof trace", "choose another place with -o"][..]),
        ("file", &["file", "not a directory", "choose another place with -o"]),
        ("link", &["link", "a symbolic link", "choose another place with -o"]),
        ("missing/trace", &["missing/trace", "no such file or directory", "create it"]),
        ("file/trace", &["file/trace", "not a directory", "choose another place with -o"]),
    ] {
        for options in [&["record"][..], &["record", "--force"]] {
            let mut command = energy_prof();
            command.args(options).arg("-o").arg(root.join(place));
            // A command that ran would leave a file behind.
            command.args(["--", "touch"]).arg(root.join("ran"));
            Outcome::of(&mut command).refused(8, words);
        }
    }
    assert!(!root.join("ran").exists());
    assert_eq!(fs::read_to_string(root.join("photos/cat.jpg")).unwrap(), "cat");
}

#[test]
fn an_empty_root_of_zones_is_no_source_of_energy() {
    let place = Place::new();
    let zones = place.root().join("zones");
    for _ in 0..2 {
        let refusal = record(&place, &["--powercap-root", zones.to_str().unwrap()], &["-a"]);
        refusal.refused(6, &["no energy source", "zones", "energy-prof doctor"]);
        // The second time, there is a directory, and nothing in it.
        fs::create_dir_all(&zones).unwrap();
    }
    assert!(!place.trace().exists());
}

#[test]
fn counters_of_cores_that_are_not_there_are_not_done_without_unasked() {
    let (place, machine) = (Place::new(), FakeMachine::new());
    let sysfs = machine.sysfs().to_str().unwrap();
    let refusal = record(&place, &["--core-counters", "--sysfs", sysfs], &["--", "true"]);
    refusal.refused(6, &["counters of single cores", "power_core", "leave --core-counters out"]);
}

/// A file system of its own, as small as told, gone when this is dropped.
struct SmallDisk {
    root: PathBuf,
}

impl SmallDisk {
    /// `None` where this root may not mount, as in most containers.
    fn mount(root: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&root).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&root);
        mount.output().unwrap().status.success().then_some(Self { root })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.root).status().unwrap();
    }
}

#[test]
fn a_disk_that_is_full_ends_the_recording_and_keeps_what_was_written() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.root().join("disk"), "128k") else {
        return skip("mounting a small disk is refused");
    };
    let trace = disk.root.join("energy.trace");
    let mut command = energy_prof();
    command.args(["record", "-q", "--window", "1ms", "-d", "1m", "-a", "-o"]).arg(&trace);
    let words = ["no space left on the disk", "free some space or choose another disk with -o"];
    Recorder::start(&mut command).end().refused(8, &words);
    let reader = TraceReader::open(&trace).unwrap();
    assert!(!matches!(reader.ending(), Ending::Complete(_)), "{}", reader.ending());
    let windows = reader.windows().unwrap();
    assert!(windows.len() > 500, "{} windows of a millisecond", windows.len());
    assert_whole(&windows);
    let shown = Outcome::of(energy_prof().arg("report").arg(&trace)).succeeded().stdout;
    assert!(shown.contains("unfinished"), "{shown}");
    // Without room for another table what is there stays.
    fs::write(disk.root.join("fill"), vec![0; 256 * 1024]).unwrap_err();
    let refusal = Outcome::of(energy_prof().arg("attribute").arg(&trace));
    refusal.refused(8, &["no space left on the disk"]);
    assert_eq!(TraceReader::open(&trace).unwrap().windows().unwrap(), windows);
}

#[test]
fn a_disk_that_is_full_from_the_start_stops_before_the_command_runs() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.root().join("disk"), "16k") else {
        return skip("mounting a small disk is refused");
    };
    // There is no room for a file, but there is for its name.
    let fill = vec![0; 64 * 1024];
    fs::write(disk.root.join("fill"), fill).unwrap_err();
    let mut command = energy_prof();
    command.arg("record").arg("-o").arg(disk.root.join("energy.trace"));
    command.args(["--", "touch"]).arg(place.root().join("ran"));
    Outcome::of(&mut command).refused(8, &["no space left on the disk"]);
    assert!(!place.root().join("ran").exists());
}

#[test]
fn a_trace_that_is_removed_while_recording_is_told_and_ends_it() {
    let place = Place::new();
    let mut busy = Busy::start();
    let pid = busy.pid().to_string();
    let recorder = Recorder::begun(&mut place.record(&["-q"], &["-p", &pid]));
    fs::remove_dir_all(place.trace()).unwrap();
    let words = ["energy.trace", "no such file or directory", "its directory was removed"];
    recorder.end().refused(8, &words);
    assert!(!place.trace().exists());
    busy.assert_runs();
}

#[test]
fn a_trace_that_is_renamed_while_recording_is_completed_where_it_is() {
    let place = Place::new();
    let mut recorder = Recorder::begun(&mut place.record(&["-q", "-d", "300ms"], &["-a"]));
    let elsewhere = place.root().join("elsewhere");
    fs::rename(place.trace(), &elsewhere).unwrap();
    assert!(!recorder.has_ended());
    recorder.end().succeeded();
    assert_eq!(TraceReader::open(&elsewhere).unwrap().session().state, SessionState::Complete);
}

#[test]
fn without_type_information_processes_are_still_named() {
    let place = Place::new();
    let mut busy = Busy::start();
    let script = "sleep 0.3; sh -c 'sleep 0.4; exit 0'";
    place.recorded(&["-q", "--btf", "/nonexistent"], &["--", "sh", "-c", script]);
    let threads = place.reader().threads().unwrap();
    let named = |test: &dyn Fn(&ThreadInfo) -> bool| threads.values().find(|info| test(info));
    // From /proc: it ran before recording began and after it ended.
    let from_proc = named(&|info| info.tgid == busy.pid()).unwrap();
    assert!(from_proc.exe.is_some() && from_proc.exit.is_none() && !from_proc.target);
    assert!(from_proc.cmdline.as_deref().unwrap().contains("while :"));
    // At its exec, and it ended at its exit.
    let at_exec = named(&|info| info.cmdline.as_deref() == Some("sleep 0.4")).unwrap();
    assert!(at_exec.exit.is_some() && at_exec.exe.is_some() && at_exec.target, "{at_exec:?}");
    let own = format!("sh -c {script}");
    assert!(named(&|info| info.cmdline.as_deref() == Some(&own)).unwrap().target);
    assert!(place.profile().threads.values().any(|thread| thread.info.target));
    busy.assert_runs();
}

#[test]
fn without_type_information_a_command_that_is_gone_at_once_is_still_the_target() {
    let place = Place::new();
    place.recorded(&["-q", "--btf", "/nonexistent"], &["--", "true"]);
    let threads = place.reader().threads().unwrap();
    let launched = threads.values().find(|info| info.comm == "true").unwrap();
    assert!(launched.target, "{launched:?}");
}
