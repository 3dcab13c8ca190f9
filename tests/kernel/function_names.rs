//! Functions are named whatever becomes of their programs, and never wrongly.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use energy_prof::model::{Frame, FrameKind, Stack};
use energy_prof::trace::Target;

use crate::support::energy_prof::Place;
use crate::support::functions::{Function, functions, of_module, report};
use crate::support::outcome::Outcome;
use crate::support::skip::skip;
use crate::support::workload::{compile, compile_as, numbers};

const SAMPLED: [&str; 3] = ["-q", "-F", "997"];

/// A running program, killed when this is dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Records it for half a second, from now on.
    fn recorded(&self, place: &Place) -> Outcome {
        let pid = self.0.id().to_string();
        let options = ["-F", "997", "-d", "500ms"];
        Outcome::of(&mut place.record(&options, &["-p", &pid])).succeeded()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "nothing happens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A compiled program, or a word that it cannot be.
fn or_skip(program: Result<PathBuf, String>) -> Option<PathBuf> {
    program.map_err(|why| skip(&why)).ok()
}

/// That functions of `program` are named, those that work among them, as `duty.c` names them.
#[track_caller]
fn assert_named(place: &Place, program: &Path) {
    let functions = functions(place, &[]);
    let its: Vec<_> = of_module(&functions, program).collect();
    for name in ["c", "d"] {
        assert!(its.iter().any(|function| function.name == name), "no {name}: {functions:#?}");
    }
    let known = ["a", "b", "c", "d", "now", "main", "_start"];
    let known = |name: &str| known.contains(&name) || name.ends_with("@plt");
    assert!(its.iter().all(|function| known(&function.name)), "{its:#?}");
}

/// That the functions of `program` are told by object and offset, and none by a name.
#[track_caller]
fn assert_unnamed(place: &Place, program: &Path) {
    let functions = functions(place, &[]);
    let its: Vec<_> = of_module(&functions, program).collect();
    let offset = format!("{}+0x", program.file_name().unwrap().to_str().unwrap());
    assert!(its.iter().any(|function| function.own > 0), "{functions:#?}");
    // What it calls of libraries has a name all the same.
    let told = |name: &str| name.starts_with(&offset) || name.ends_with("@plt");
    assert!(its.iter().all(|function| told(&function.name)), "{its:#?}");
}

#[test]
fn a_program_of_50_ms_that_deletes_itself_is_named() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    let path = program.to_str().unwrap();
    place.recorded(&SAMPLED, &["--", path, "50", path]);
    assert!(!program.exists());
    assert_named(&place, &program);
}

#[test]
fn a_program_that_is_replaced_by_garbage_while_it_runs_is_named() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    let garbage = place.root().join("garbage");
    let bytes: Vec<u8> = b"\x7fELF\x02\x01".iter().copied().chain((0..99_999).map(noise)).collect();
    fs::write(&garbage, bytes).unwrap();
    let path = program.to_str().unwrap();
    place.recorded(&SAMPLED, &["--", path, "300", path, garbage.to_str().unwrap()]);
    assert!(!garbage.exists());
    assert_named(&place, &program);
}

/// The low byte of a product without a pattern.
fn noise(index: u32) -> u8 {
    index.wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

#[test]
fn code_mapped_before_recording_began_is_named() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    let running = Running::start(Command::new(&program).arg("60000"));
    running.recorded(&place);
    assert_named(&place, &program);
    // And so is that of libraries, by what they export at least.
    let functions = functions(&place, &[]);
    let libc = |function: &&Function| {
        function.module.as_deref().is_some_and(|path| path.contains("/libc.so"))
    };
    let libc: Vec<_> = functions.iter().filter(libc).collect();
    assert!(libc.iter().any(|function| !function.name.contains("+0x")), "{functions:#?}");
}

#[test]
fn a_program_deleted_before_recording_began_is_named() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    let running = Running::start(Command::new(&program).arg("60000").arg(&program));
    wait_until(|| !program.exists());
    running.recorded(&place);
    assert_named(&place, &program);
}

#[test]
fn a_program_replaced_before_recording_began_is_not_named_by_the_other() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    let Some(other) = or_skip(compile(place.root(), "deep.c")) else { return };
    let mut command = Command::new(&program);
    let running = Running::start(command.arg("60000").arg(&program).arg(&other));
    wait_until(|| !other.exists());
    running.recorded(&place);
    assert_named(&place, &program);
}

#[test]
fn a_stripped_program_is_told_by_module_and_offset() {
    let place = Place::new();
    let Some(program) = or_skip(compile_as(place.root(), "duty.c", "stripped", &["-s"])) else {
        return;
    };
    place.recorded(&SAMPLED, &["--", program.to_str().unwrap(), "200"]);
    assert_unnamed(&place, &program);
}

#[test]
fn a_program_that_becomes_another_is_named_as_both() {
    let place = Place::new();
    let Some(first) = or_skip(compile(place.root(), "becoming.c")) else { return };
    let Some(second) = or_skip(compile(place.root(), "duty.c")) else { return };
    place.recorded(
        &SAMPLED,
        &["--", first.to_str().unwrap(), "200", second.to_str().unwrap(), "200"],
    );
    let functions = functions(&place, &[]);
    assert!(of_module(&functions, &first).any(|function| function.name == "before"));
    assert_named(&place, &second);
    let known = ["before", "now", "main", "_start"];
    let mut its = of_module(&functions, &first);
    assert!(its.all(|function| known.contains(&&*function.name)), "{functions:#?}");
}

#[test]
fn a_child_that_never_calls_exec_has_functions_of_its_own() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "becoming.c")) else { return };
    let output = place.recorded(&SAMPLED, &["--", program.to_str().unwrap(), "200"]);
    let pids: BTreeMap<String, u64> = numbers(&output.stdout).into_iter().collect();
    for (who, other) in [("parent", "child"), ("child", "parent")] {
        let its = functions(&place, &["--pid", &pids[who].to_string()]);
        let of_program: Vec<_> = of_module(&its, &program).collect();
        assert!(of_program.iter().any(|function| function.name == who), "{its:#?}");
        assert!(of_program.iter().all(|function| function.name != other), "{its:#?}");
    }
}

/// The frames of all stacks of a recording.
fn stacks(place: &Place) -> Vec<Stack> {
    place.reader().stacks().unwrap().into_values().collect()
}

#[test]
fn a_stack_of_ten_thousand_calls_is_cut_and_says_so() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "deep.c")) else { return };
    place.recorded(&SAMPLED, &["--", program.to_str().unwrap(), "300"]);
    let path = program.to_str();
    let is_dive = |frame: &&Frame| {
        frame.module.as_deref() == path && frame.function.as_deref() == Some("dive")
    };
    // On its way down it is whole.
    let is_main = |frame: &Frame| frame.function.as_deref() == Some("main");
    let deep =
        |stack: &Stack| stack.iter().filter(is_dive).count() > 100 && !stack.iter().any(is_main);
    let stacks = stacks(&place);
    let deep: Vec<&Stack> = stacks.iter().filter(|stack| deep(stack)).collect();
    assert!(!deep.is_empty());
    for stack in deep {
        // What was inlined into a function has no call of its own.
        let calls =
            |frame: &&Frame| frame.kind != FrameKind::Kernel && frame.kind != FrameKind::Inlined;
        let user = stack.iter().filter(calls).count();
        // The innermost 127, and that there is more.
        assert_eq!(user, 128, "{stack:#?}");
        assert_eq!(stack[0].name(), "[unknown]");
    }
    // A function that calls itself has its energy once.
    let around = report(&place, &["--function", "dive"]);
    let total = around["function"]["total"]["energy_uj"].as_u64().unwrap();
    assert!(total <= around["stacks"]["energy_uj"].as_u64().unwrap());
    let callers = around["callers"].as_array().unwrap();
    let unknown = callers.iter().find(|caller| caller["name"] == "[unknown]").unwrap();
    assert!(unknown["energy_uj"].as_u64().unwrap() > total / 2, "{callers:#?}");
}

/// Records a program that works in code it made, beside `lines` lines of nonsense in its perf map.
fn record_made(lines: &str) {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "made.c")) else { return };
    let command = ["--", program.to_str().unwrap(), "300", lines];
    let output = place.record(&SAMPLED, &command).output().unwrap();
    let Target::Command { pid, .. } = place.reader().session().target else {
        panic!("a command was recorded")
    };
    fs::remove_file(format!("/tmp/perf-{pid}.map")).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let functions = functions(&place, &[]);
    let made = functions.iter().find(|function| function.name == "made_while_running");
    let own = made.map_or(0, |made| made.own);
    let all: u64 = functions.iter().map(|function| function.own).sum();
    // Writing so many lines is work, too.
    assert!(own > all / 20, "{functions:#?}");
    let nonsense = |function: &&Function| function.name.starts_with("everything around");
    assert!(!functions.iter().any(|function| nonsense(&function)), "{functions:#?}");
}

#[test]
fn a_perf_map_of_nonsense_names_what_it_still_can() {
    record_made("1000");
}

#[test]
fn a_perf_map_of_200_mb_is_read_without_hanging() {
    record_made("5000000");
}

/// A frame as `addr2line` tells it: function, file without its folder, line.
type Told = (String, String, Option<u32>);

/// What `addr2line -i` says of each of these addresses, the outermost function first.
fn addr2line(program: &Path, addresses: &[u64]) -> Option<Vec<Vec<Told>>> {
    let mut command = Command::new("addr2line");
    command.args(["-a", "-i", "-f", "-e"]).arg(program);
    let addresses = addresses.iter().map(|address| format!("{address:#x}"));
    let output = command.args(addresses).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    let mut told: Vec<Vec<Told>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            told.push(Vec::new());
            continue;
        }
        let (file, line_number) = lines.next()?.rsplit_once(':')?;
        let file = file.rsplit('/').next()?.to_owned();
        // `12 (discriminator 3)`, or `?`.
        let number = line_number.split(' ').next()?.parse().ok();
        told.last_mut()?.insert(0, (line.to_owned(), file, number));
    }
    Some(told)
}

/// The address at which a byte of the file is loaded, from `readelf -l`.
fn load_address(headers: &str, offset: u64) -> Option<u64> {
    headers.lines().find_map(|line| {
        let mut fields = line.trim().strip_prefix("LOAD")?.split_whitespace();
        let mut next = || u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok();
        let (start, address, _, size) = (next()?, next()?, next()?, next()?);
        (start..start + size).contains(&offset).then(|| offset - start + address)
    })
}

#[test]
fn inlined_functions_and_lines_are_those_of_addr2line() {
    let place = Place::new();
    let options = ["-O2", "-fno-optimize-sibling-calls"];
    let Some(program) = or_skip(compile_as(place.root(), "inlined.c", "inlined", &options)) else {
        return;
    };
    let Ok(headers) = Command::new("readelf").arg("-lW").arg(&program).output() else {
        return skip("no readelf");
    };
    let headers = String::from_utf8(headers.stdout).unwrap();
    place.recorded(&SAMPLED, &["--", program.to_str().unwrap(), "1000"]);
    let path = program.to_str();
    let mut ours: BTreeMap<u64, Vec<Told>> = BTreeMap::new();
    for stack in stacks(&place) {
        let mut own = stack.iter().filter(|frame| frame.module.as_deref() == path).peekable();
        while let Some(frame) = own.next() {
            assert_eq!(frame.kind, FrameKind::User, "{stack:#?}");
            let mut frames = vec![told(frame)];
            while let Some(inlined) = own.next_if(|frame| frame.kind == FrameKind::Inlined) {
                assert_eq!(inlined.file_offset, frame.file_offset);
                frames.push(told(inlined));
            }
            let address = load_address(&headers, frame.file_offset.unwrap()).unwrap();
            ours.insert(address, frames);
        }
    }
    let addresses: Vec<u64> = ours.keys().copied().collect();
    let Some(theirs) = addr2line(&program, &addresses) else { return skip("no addr2line") };
    assert_eq!(theirs.len(), ours.len());
    for ((address, ours), theirs) in ours.iter().zip(&theirs) {
        // Start-up code has no lines.
        if theirs[0].2.is_some() {
            assert_eq!(ours, theirs, "{address:#x}");
        }
    }
    let names = |frames: &[Told]| frames.iter().map(|told| told.0.clone()).collect::<Vec<_>>();
    let seen: Vec<_> = ours.values().map(|frames| names(frames)).collect();
    for expected in [&["outer", "middle", "innermost"][..], &["called", "innermost"], &["hurry"]] {
        assert!(seen.iter().any(|names| names == expected), "no {expected:?} in {seen:?}");
    }
    // A call that does not return is the last of its function: where it would return to is the next.
    assert!(!seen.iter().flatten().any(|name| name == "after_hurry"), "{seen:?}");
}

fn told(frame: &Frame) -> Told {
    let file = frame.file.as_deref().unwrap_or("?").rsplit('/').next().unwrap();
    (frame.function.clone().unwrap_or_default(), file.to_owned(), frame.line)
}
