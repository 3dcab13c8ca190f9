//! `symbolize`: names for a trace after the fact, from files with the right build id and no others.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use energy_prof::model::{Frame, FrameKind, Stack, StackId};
use energy_prof::symbols::{SymbolOptions, Symbolizer, UserObject};
use energy_prof::trace::{Batch, Existing, Session, SessionState, TraceReader, TraceWriter};

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::program::{Program, have, run};
use crate::support::sampled::kernel;
use crate::support::small_trace;

/// A program, what an unstripped one tells about its functions, and a trace that knows offsets only.
struct Fixture {
    program: Program,
    build_id: String,
    /// The stacks as they should be named.
    expected: Vec<Stack>,
    place: Place,
}

impl Fixture {
    /// `None` where there is no compiler.
    fn new() -> Option<Self> {
        Self::of(&[])
    }

    fn of(flags: &[&str]) -> Option<Self> {
        let program = Program::c_with(flags)?;
        if !have("objcopy") {
            return None;
        }
        let offsets = program.offsets(&program.addresses("outer"));
        let object = UserObject {
            open_at: program.path.clone(),
            shown: program.path.to_str().unwrap().to_owned(),
            build_id: None,
        };
        let options = SymbolOptions { debug_dirs: Vec::new(), ..SymbolOptions::default() };
        let found = Symbolizer::new(options).user(&object, &offsets);
        assert!(found.iter().any(|frames| frames.len() == 3));
        let build_id = found[0][0].build_id.clone().unwrap();
        let expected = found.into_iter().map(|frames| [vec![kernel("entry")], frames].concat());
        Some(Self { program, build_id, expected: expected.collect(), place: Place::new() })
    }

    /// The stacks as a recorder leaves them that found no names.
    fn unnamed(&self) -> Vec<(StackId, Stack)> {
        let unnamed = |stack: &Stack| {
            let bare = Frame { function: None, file: None, line: None, ..stack[1].clone() };
            vec![stack[0].clone(), bare]
        };
        (3..).map(StackId).zip(self.expected.iter().map(unnamed)).collect()
    }

    /// Writes the trace, which a recorder has begun and sealed.
    fn begun(&self) -> TraceWriter {
        let session = Session::default();
        let mut writer =
            TraceWriter::create(&self.trace(), Existing::Overwrite, None, &session).unwrap();
        writer.append(Batch {
            windows: vec![small_trace::window(0)],
            stacks: self.unnamed(),
            ..Batch::default()
        });
        writer.seal().unwrap();
        writer
    }

    fn recorded(self) -> Self {
        let session = Session { state: SessionState::Complete, ..Session::default() };
        self.begun().finish(&session).unwrap();
        self
    }

    fn trace(&self) -> PathBuf {
        self.place.trace()
    }

    /// Where debug files go.
    fn folder(&self) -> PathBuf {
        let folder = self.place.root().join("debug");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Takes the debug file out of the program, by some tool like objcopy, and the program away.
    fn keep_only_debug(&self, objcopy: &str, to: &Path) {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let (from, to) = (self.program.path.to_str().unwrap(), to.to_str().unwrap());
        run(objcopy, &["--only-keep-debug", from, to]);
        fs::remove_file(&self.program.path).unwrap();
    }

    fn symbolize(&self, options: &[&str]) -> Outcome {
        Outcome::of(self.command().args(options))
    }

    fn command(&self) -> Command {
        let mut command = energy_prof();
        for variable in ["DEBUGINFOD_URLS", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env_remove(variable);
        }
        command.env("XDG_CACHE_HOME", self.place.root().join("cache"));
        command.arg("symbolize").arg(self.trace());
        command
    }

    fn stacks(&self) -> Vec<Stack> {
        let stacks = TraceReader::open(&self.trace()).unwrap().stacks().unwrap();
        assert!(stacks.keys().copied().eq((3..).map(StackId).take(stacks.len())));
        stacks.into_values().collect()
    }

    #[track_caller]
    fn assert_named(&self) {
        assert_same(&self.stacks(), &self.expected);
    }

    #[track_caller]
    fn assert_unnamed(&self) {
        let unnamed: Vec<Stack> = self.unnamed().into_iter().map(|(_, stack)| stack).collect();
        assert_same(&self.stacks(), &unnamed);
    }
}

/// That they are equal; only the first that differ are shown.
#[track_caller]
fn assert_same(found: &[Stack], expected: &[Stack]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn names_come_from_a_debug_file_wherever_it_lies_and_whoever_made_it() {
    for objcopy in ["objcopy", "llvm-objcopy"] {
        for layout in ["build-id", "plain", "loose"] {
            let Some(fixture) = Fixture::new() else { return };
            if !have(objcopy) {
                continue;
            }
            let fixture = fixture.recorded();
            let (folder, rest) = fixture.build_id.split_at(2);
            let to = match layout {
                "build-id" => format!(".build-id/{folder}/{rest}.debug"),
                "plain" => format!("{folder}/{rest}.debug"),
                _ => "whatever".to_owned(),
            };
            fixture.keep_only_debug(objcopy, &fixture.folder().join(to));
            fixture.assert_unnamed();
            let directory = fixture.folder();
            let said = fixture.symbolize(&["--debug-dir", directory.to_str().unwrap()]).succeeded();
            fixture.assert_named();
            let frames = fixture.expected.len();
            let sum = format!("without a name  {frames} of {} before, 0 after\n", 2 * frames);
            assert!(said.stderr.contains(&sum), "{}", said.stderr);
        }
    }
}

/// Where code is in the file differs from where it is in memory, and a debug file has lost the first.
#[test]
fn a_debug_file_of_a_program_by_another_linker_fits_as_well() {
    for flags in [&["-fuse-ld=gold"][..], &["-fuse-ld=lld"], &["-no-pie", "-Wl,-z,noseparate-code"]]
    {
        let linker = flags[0].strip_prefix("-fuse-ld=").map(|name| format!("ld.{name}"));
        if linker.is_some_and(|linker| !have(&linker)) {
            continue;
        }
        let flags = [flags, &["-Wl,--build-id"]].concat();
        let Some(fixture) = Fixture::of(&flags) else { return };
        let fixture = fixture.recorded();
        let directory = fixture.folder();
        fixture.keep_only_debug("objcopy", &directory.join("x.debug"));
        fixture.symbolize(&["--debug-dir", directory.to_str().unwrap()]).succeeded();
        fixture.assert_named();
    }
}

#[test]
fn the_program_itself_is_used_where_it_lies_with_its_build_id() {
    let Some(fixture) = Fixture::new() else { return };
    let fixture = fixture.recorded();
    fixture.symbolize(&[]).succeeded();
    fixture.assert_named();
    let table = fixture.trace().join("stacks.parquet");
    let before = fs::read(&table).unwrap();
    let said = fixture.symbolize(&[]).succeeded();
    assert!(said.stderr.contains("Nothing better was found"), "{}", said.stderr);
    assert_eq!(fs::read(&table).unwrap(), before);
}

#[test]
fn another_build_is_never_used() {
    let Some(fixture) = Fixture::new() else { return };
    let fixture = fixture.recorded();
    let other = Program::c_with(&["-O1"]).unwrap();
    fs::copy(&other.path, &fixture.program.path).unwrap();
    let (folder, rest) = fixture.build_id.split_at(2);
    let filed = fixture.folder().join(".build-id").join(folder).join(format!("{rest}.debug"));
    fs::create_dir_all(filed.parent().unwrap()).unwrap();
    fs::copy(&other.path, filed).unwrap();
    let directory = fixture.folder();
    let said = fixture.symbolize(&["--debug-dir", directory.to_str().unwrap()]).succeeded();
    fixture.assert_unnamed();
    let why = format!("{}: no file with this build id", fixture.program.path.display());
    assert!(said.stderr.contains(&why), "{}", said.stderr);
}

#[test]
fn a_name_without_a_line_gets_both_and_a_name_with_a_line_stays() {
    let Some(mut fixture) = Fixture::new() else { return };
    let named = |line: Option<u32>, frame: &Frame| Frame {
        function: Some("as recorded".to_owned()),
        line,
        ..frame.clone()
    };
    let stacks: Vec<(StackId, Stack)> = (fixture.unnamed().into_iter())
        .map(|(id, stack)| (id, vec![named(None, &stack[1]), named(Some(7), &stack[1])]))
        .collect();
    let mut writer =
        TraceWriter::create(&fixture.trace(), Existing::Overwrite, None, &Session::default())
            .unwrap();
    writer.append(Batch {
        windows: vec![small_trace::window(0)],
        stacks: stacks.clone(),
        ..Batch::default()
    });
    writer.finish(&Session { state: SessionState::Complete, ..Session::default() }).unwrap();
    for (expected, (_, stack)) in fixture.expected.iter_mut().zip(stacks) {
        let has_line = expected[1..].iter().any(|frame| frame.line.is_some());
        let better = if has_line { &expected[1..] } else { &stack[..1] };
        *expected = [better, &stack[1..]].concat();
    }
    fixture.symbolize(&[]).succeeded();
    fixture.assert_named();
}

/// In its parts a stack comes twice, and the last row holds.
#[test]
fn a_trace_that_was_cut_off_is_named_and_has_each_stack_once() {
    let Some(mut fixture) = Fixture::new() else { return };
    let later = vec![Frame { function: Some("later words".to_owned()), ..kernel("entry") }];
    let mut writer = fixture.begun();
    writer.append(Batch {
        windows: vec![small_trace::window(1)],
        stacks: vec![(StackId(3), later.clone())],
        ..Batch::default()
    });
    writer.seal().unwrap();
    drop(writer);
    fixture.expected[0] = later;
    let said = fixture.symbolize(&[]).succeeded().stderr;
    fixture.assert_named();
    assert!(said.contains(&format!("({} stacks)", fixture.expected.len())), "{said}");
    assert_eq!(TraceReader::open(&fixture.trace()).unwrap().windows().unwrap().len(), 2);
}

#[test]
fn a_trace_that_is_being_recorded_or_lacks_stacks_is_refused() {
    let Some(fixture) = Fixture::new() else { return };
    let recording = fixture.begun();
    fixture.symbolize(&[]).refused(8, &["cannot change", "wait until"]);
    drop(recording);
    fs::write(fixture.trace().join("parts/stacks.000002.parquet"), "no Parquet").unwrap();
    fixture.symbolize(&[]).refused(7, &["stacks.000002.parquet", "lost for good"]);
    let without = Place::new();
    small_trace::ten_windows(&without.trace());
    let mut command = energy_prof();
    Outcome::of(command.arg("symbolize").arg(without.trace())).refused(7, &["no stacks"]);
    Outcome::of(energy_prof().arg("symbolize").arg(without.root()))
        .refused(7, &["not an energy-prof"]);
    let nowhere = without.root().join("nowhere");
    fixture
        .symbolize(&["--debug-dir", nowhere.to_str().unwrap()])
        .refused(1, &["debug directory", "nowhere"]);
    fixture.symbolize(&["--debuginfod", "elsewhere"]).refused(1, &["elsewhere", "https://"]);
}

/// What is unnamed for other reasons is told with those.
#[test]
fn why_a_frame_has_no_name_is_told() {
    let Some(fixture) = Fixture::new() else { return };
    let bare = |module: &str, kind, build_id: Option<&str>| Frame {
        function: None,
        file: None,
        line: None,
        module: Some(module.to_owned()),
        build_id: build_id.map(str::to_owned),
        file_offset: Some(1),
        function_offset: None,
        kind,
    };
    let mut writer =
        TraceWriter::create(&fixture.trace(), Existing::Overwrite, None, &Session::default())
            .unwrap();
    let stack = vec![
        bare("/nowhere/x\u{1b}[2J", FrameKind::User, None),
        bare("/nowhere/y", FrameKind::User, Some("../../../etc/passwd")),
        bare("/nowhere/z", FrameKind::User, Some("c0ffee")),
        bare("[kernel]", FrameKind::Kernel, None),
        Frame { module: None, ..bare("", FrameKind::Jit, None) },
    ];
    writer.append(Batch {
        windows: vec![small_trace::window(0)],
        stacks: vec![(StackId(3), stack)],
        ..Batch::default()
    });
    writer.seal().unwrap();
    drop(writer);
    let said = fixture.symbolize(&[]).succeeded().stderr;
    for line in [
        "/nowhere/x?[2J: no build id was recorded\n",
        "/nowhere/y: no file with this build id\n",
        "/nowhere/z: no file with this build id\n",
        "[kernel]: the kernel's functions are named only while recording\n",
        "[unknown]: no perf map or jitdump named it; see `record --jit`\n",
    ] {
        assert!(said.contains(line), "{line:?} is missing in {said}");
    }
}

/// How a server answers.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    /// As much of the file as this, although all was promised.
    Truncated(Vec<u8>, usize),
    /// The same, and nothing promised.
    CutOff(Vec<u8>, usize),
    NotFound,
    Broken,
}

/// A stand-in for a debuginfod server, which answers `debuginfo` so, and `executable` with 404.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        // It listens until the test's process ends.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let request = lines.next().unwrap().unwrap();
                let _: Vec<String> =
                    lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
                let path = request.split(' ').nth(1).unwrap().to_owned();
                let answer =
                    if path.ends_with("/debuginfo") { answer.clone() } else { Answer::NotFound };
                noted.lock().unwrap().push(path);
                let close = "Connection: close\r\n\r\n";
                let (head, body) = match answer {
                    Answer::File(file) => {
                        (format!("200 OK\r\nContent-Length: {}\r\n", file.len()), file)
                    }
                    Answer::Truncated(mut file, length) => {
                        let head = format!("200 OK\r\nContent-Length: {}\r\n", file.len());
                        file.truncate(length);
                        (head, file)
                    }
                    Answer::CutOff(mut file, length) => {
                        file.truncate(length);
                        ("200 OK\r\n".to_owned(), file)
                    }
                    Answer::NotFound => {
                        ("404 Not Found\r\nContent-Length: 0\r\n".to_owned(), Vec::new())
                    }
                    Answer::Broken => ("500 Oh\r\nContent-Length: 0\r\n".to_owned(), Vec::new()),
                };
                let answer = [format!("HTTP/1.1 {head}{close}").into_bytes(), body].concat();
                // Whoever asked may have had enough.
                let _ = connection.write_all(&answer);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A fixture whose program is gone, and the bytes of its debug file.
fn gone() -> Option<(Fixture, Vec<u8>)> {
    let fixture = Fixture::new()?.recorded();
    let kept = fixture.place.root().join("kept");
    fixture.keep_only_debug("objcopy", &kept);
    Some((fixture, fs::read(kept).unwrap()))
}

#[test]
fn a_server_is_asked_by_build_id_and_what_it_sends_is_kept() {
    let Some((fixture, file)) = gone() else { return };
    let elsewhere = Server::start(Answer::NotFound);
    let server = Server::start(Answer::File(file));
    let path = format!("/buildid/{}/debuginfo", fixture.build_id);
    fixture.symbolize(&["--debuginfod", &elsewhere.url, "--debuginfod", &server.url]).succeeded();
    fixture.assert_named();
    assert_eq!((elsewhere.asked(), server.asked()), (vec![path.clone()], vec![path]));
    // Another trace of the same build.
    let fixture = fixture.recorded();
    fixture.assert_unnamed();
    fixture.symbolize(&["--debuginfod", &server.url]).succeeded();
    fixture.assert_named();
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn servers_of_the_environment_are_asked_where_none_is_given() {
    let Some((fixture, file)) = gone() else { return };
    let server = Server::start(Answer::File(file));
    fixture.symbolize(&[]).succeeded();
    fixture.assert_unnamed();
    assert_eq!(server.asked(), Vec::<String>::new());
    let mut command = fixture.command();
    Outcome::of(command.env("DEBUGINFOD_URLS", format!("ima:ignore {}", server.url))).succeeded();
    fixture.assert_named();
}

#[test]
fn a_server_without_the_build_is_asked_for_the_program_as_well() {
    let Some((fixture, _)) = gone() else { return };
    let server = Server::start(Answer::NotFound);
    let said = fixture.symbolize(&["--debuginfod", &server.url]).succeeded().stderr;
    fixture.assert_unnamed();
    let asked = server.asked();
    assert!(asked.len() == 2 && asked[1].ends_with("/executable"), "{asked:?}");
    assert!(said.starts_with("frames without a name"), "404 is nothing wrong: {said}");
}

#[test]
fn what_breaks_off_or_is_of_another_build_is_refused_and_not_kept() {
    let Some((fixture, file)) = gone() else { return };
    let other = fs::read(Program::c_with(&["-O1"]).unwrap().path).unwrap();
    let half = file.len() / 2;
    for (answer, why) in [
        (Answer::Truncated(file.clone(), half), "the answer breaks off"),
        (Answer::CutOff(file.clone(), half), "no whole ELF file with this build id"),
        (Answer::File(other), "no whole ELF file with this build id"),
        (Answer::File(b"<html>".to_vec()), "no whole ELF file with this build id"),
        (Answer::Broken, "is not asked any more"),
    ] {
        let server = Server::start(answer);
        let said = fixture.symbolize(&["--debuginfod", &server.url]).succeeded().stderr;
        assert!(said.contains(why), "{why:?} is missing in {said}");
        fixture.assert_unnamed();
        let cache = fixture.place.root().join("cache/energy-prof").join(&fixture.build_id);
        assert!(fs::read_dir(cache).map_or(0, Iterator::count) == 0, "{why}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_told_once_and_the_next_is_asked() {
    let Some((fixture, file)) = gone() else { return };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let server = Server::start(Answer::File(file));
    let options = ["--debuginfod", &url, "--debuginfod", &server.url];
    let said = fixture.symbolize(&options).succeeded().stderr;
    assert_eq!(said.matches("is not asked any more").count(), 1, "{said}");
    fixture.assert_named();
}
