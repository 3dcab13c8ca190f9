//! Code made while running: named by what its maker wrote down, wherever that is and however soon the
//! maker is gone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use energy_prof::model::{Frame, FrameKind};
use energy_prof::trace::Target;

use crate::support::energy_prof::Place;
use crate::support::outcome::Outcome;
use crate::support::recorder::Recorder;
use crate::support::skip::skip;

/// Makes a loop in anonymous memory, writes down where it is, and runs it for 0.4 s of CPU time.
/// Arguments: `dump` and a directory, `map`, or `map` and a user the map is given to. With `WAIT` in its
/// environment it writes a byte before it runs the loop, and waits for one.
const MAKER: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct record { uint32_t id, size; uint64_t time; };

static void dump(const char *dir, uint64_t code, uint64_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/jit-%d.dump", dir, (int)getpid());
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    uint32_t header[10] = {0x4A695444, 1, 40, 62, 0, getpid()};
    write(fd, header, sizeof header);
    // Whoever mmaps it executable is seen.
    mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    char file[] = "made.src";
    struct record lines = {2, sizeof lines + 16 + 2 * 16 + sizeof file + 2, 1};
    uint64_t head[2] = {code, 2};
    struct { uint64_t address; uint32_t line, discriminator; } first = {code, 7}, second = {code + 5, 8};
    write(fd, &lines, sizeof lines);
    write(fd, head, sizeof head);
    write(fd, &first, sizeof first);
    write(fd, file, sizeof file);
    write(fd, &second, sizeof second);
    write(fd, "\xff", 2);
    char name[] = "made_and_dumped";
    struct record load = {0, sizeof load + 40 + sizeof name + size, 2};
    uint64_t body[5] = {(uint64_t)getpid() << 32 | getpid(), code, code, size, 1};
    write(fd, &load, sizeof load);
    write(fd, body, sizeof body);
    write(fd, name, sizeof name);
    write(fd, (void *)code, size);
    close(fd);
}

static void map(uint64_t code, uint64_t size, const char *user) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *file = fopen(path, "w");
    fprintf(file, "%lx %lx made_and_mapped\n", (long)code, (long)size);
    fclose(file);
    if (user)
        chown(path, atoi(user), -1);
    puts(path);
    fflush(stdout);
}

int main(int argc, char **argv) {
    // mov ecx, 1000000; dec ecx; jnz; ret
    unsigned char loop[] = {0xb9, 0x40, 0x42, 0x0f, 0, 0xff, 0xc9, 0x75, 0xfc, 0xc3};
    unsigned char *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code, loop, sizeof loop);
    if (strcmp(argv[1], "dump") == 0)
        dump(argv[2], (uint64_t)code, sizeof loop);
    else
        map((uint64_t)code, sizeof loop, argc > 2 ? argv[2] : NULL);
    if (getenv("WAIT")) {
        char byte = 'w';
        write(1, &byte, 1);
        read(0, &byte, 1);
    }
    struct timespec spent;
    do {
        ((void (*)(void))code)();
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    } while (spent.tv_sec == 0 && spent.tv_nsec < 400000000);
}
"#;

/// The maker, compiled; `None`, said, where it cannot be.
fn maker(place: &Place) -> Option<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        skip("the maker's code is x86-64's");
        return None;
    }
    let (source, program) = (place.root().join("maker.c"), place.root().join("maker"));
    fs::write(&source, MAKER).unwrap();
    let Ok(output) =
        Command::new("gcc").args(["-O1", "-w", "-o"]).args([&program, &source]).output()
    else {
        skip("no gcc");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

/// The innermost frames of user code in a trace, and how many samples each has.
fn leaves(place: &Place) -> BTreeMap<Frame, u32> {
    let reader = place.reader();
    let stacks = reader.stacks().unwrap();
    let mut leaves = BTreeMap::new();
    for sample in reader.samples().unwrap().flat_map(Result::unwrap) {
        let user = stacks[&sample.stack].iter().rfind(|frame| frame.kind != FrameKind::Kernel);
        if let Some(frame) = user {
            *leaves.entry(frame.clone()).or_default() += sample.samples;
        }
    }
    leaves
}

/// The samples of made code with this name, and of made code without any.
fn named(place: &Place, name: &str) -> (u32, u32) {
    let leaves = leaves(place);
    let made = leaves.iter().filter(|(frame, _)| frame.kind == FrameKind::Jit);
    let (with, without): (Vec<_>, Vec<_>) =
        made.partition(|(frame, _)| frame.function.as_deref() == Some(name));
    let nameless = without.into_iter().filter(|(frame, _)| frame.function.is_none());
    (with.into_iter().map(|(_, samples)| samples).sum(), nameless.map(|(_, samples)| samples).sum())
}

#[track_caller]
fn assert_named(place: &Place, name: &str) {
    let (with, without) = named(place, name);
    assert!(with > 9 && without == 0, "{with} samples of {name}, {without} without a name");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn code_that_was_made_has_the_name_and_line_of_its_jitdump() {
    let place = Place::new();
    let Some(maker) = maker(&place) else { return };
    place.recorded(&["-F", "499"], &["--", text(&maker), "dump", text(place.root())]);
    assert_named(&place, "made_and_dumped");
    for frame in leaves(&place).into_keys().filter(|frame| frame.kind == FrameKind::Jit) {
        assert_eq!((frame.file.as_deref(), frame.line), (Some("made.src"), Some(8)));
    }
}

#[test]
fn code_that_was_made_before_the_recording_began_is_named_as_well() {
    let place = Place::new();
    let Some(maker) = maker(&place) else { return };
    let mut running = Command::new(&maker)
        .args(["dump", text(place.root())])
        .env("WAIT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let pid = running.id().to_string();
    let recorder = Recorder::begun(&mut place.record(&["-F", "499"], &["-p", &pid]));
    running.stdin.take().unwrap().write_all(b"x").unwrap();
    running.wait().unwrap();
    recorder.end().succeeded();
    assert_named(&place, "made_and_dumped");
}

#[test]
fn the_perf_map_of_a_container_that_is_gone_is_read() {
    let place = Place::new();
    let Some(maker) = maker(&place) else { return };
    let inside = Place::new();
    let bin = inside.root().join("maker");
    fs::copy(maker, &bin).unwrap();
    // Its /tmp goes with it, and its id is 1.
    let script = format!(
        "cp {0} /dev/shm/maker-$$ && mount -t tmpfs none /tmp && \
                          exec /dev/shm/maker-$$ map",
        bin.display()
    );
    let command = ["--", "unshare", "--mount", "--pid", "--fork", "sh", "-c", &script];
    let output = place.record(&["-F", "499"], &command).output().unwrap();
    fs::remove_file("/dev/shm/maker-1").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/tmp/perf-1.map\n");
    assert_named(&place, "made_and_mapped");
}

#[test]
fn a_perf_map_of_another_user_is_not_believed_and_told() {
    for (user, believed) in [("4711", false), ("0", true)] {
        let place = Place::new();
        let Some(maker) = maker(&place) else { return };
        let output = place.recorded(&["-F", "499"], &["--", text(&maker), "map", user]);
        let map = String::from_utf8(output.stdout).unwrap();
        fs::remove_file(map.trim_end()).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let (with, without) = named(&place, "made_and_mapped");
        assert_eq!((with > 9, without > 9), (believed, !believed), "{with} {without}");
        assert_eq!(said.contains("is not believed: it belongs to user 4711"), !believed, "{said}");
    }
}

#[test]
fn the_variables_of_jit_are_set_for_the_command_and_told() {
    let place = Place::new();
    let mut command = place.record(&["--jit"], &["--", "sh", "-c", "echo $NODE_OPTIONS; env"]);
    let outcome = Outcome::of(command.env("NODE_OPTIONS", "--no-warnings")).succeeded();
    let node = "--no-warnings --perf-basic-prof --interpreted-frames-native-stack";
    assert!(outcome.stdout.starts_with(&format!("{node}\n")), "{}", outcome.stdout);
    for set in
        ["PYTHONPERFSUPPORT=1", "DOTNET_PerfMapEnabled=1", "Options -XX:+PreserveFramePointer"]
    {
        assert!(outcome.stdout.contains(set) && outcome.stderr.contains(set), "{outcome:?}");
    }
    assert!(outcome.stderr.contains(&format!("set for the command: NODE_OPTIONS={node}, ")));
}

const JAVASCRIPT: &str = "function hot(n) {
  let s = 0;
  for (let i = 0; i < n; i++) {
    s = (s * 31 + i) | 0;
  }
  return s;
}
let t = 0;
for (let k = 0; k < 400; k++) t ^= hot(1000000);
";

const JAVA: &str = "public class Work {
  static int hot(int n) {
    int s = 0;
    for (int i = 0; i < n; i++) s = s * 31 + i ^ (s >> 3);
    return s;
  }
  public static void main(String[] arguments) {
    int t = 0;
    for (int k = 0; k < 6000; k++) t ^= hot(200000);
    System.exit(t == 7 ? 1 : 0);
  }
}
";

/// Records a runtime on a file, and checks that code named like `function` has more samples than any
/// other function.
fn runtime(options: &[&str], command: &[&str], file: (&str, &str), function: &str) {
    if Command::new(command[0]).arg("--version").output().is_err() {
        skip(&format!("no {}", command[0]));
        return;
    }
    let place = Place::new();
    fs::write(place.root().join(file.0), file.1).unwrap();
    let command = [&["--"], command, &[file.0]].concat();
    let mut record = place.record(&[&["-F", "499"], options].concat(), &command);
    Outcome::of(record.current_dir(place.root())).succeeded();
    if let Target::Command { pid, .. } = place.reader().session().target {
        // It stays where it is, of those that write one.
        let _ = fs::remove_file(format!("/tmp/perf-{pid}.map"));
    }
    let mut functions: BTreeMap<(FrameKind, String), u32> = BTreeMap::new();
    for (frame, samples) in leaves(&place) {
        *functions.entry((frame.kind, frame.name())).or_default() += samples;
    }
    let most = functions.iter().max_by_key(|(_, samples)| **samples).unwrap();
    assert!(most.0.0 == FrameKind::Jit && most.0.1.contains(function), "{most:?}: {functions:#?}");
}

#[test]
fn a_function_of_a_script_is_named_by_its_perf_map() {
    runtime(&["--jit"], &["node"], ("work.js", JAVASCRIPT), "hot ");
}

#[test]
fn a_function_of_a_script_is_named_by_its_jitdump() {
    runtime(&[], &["node", "--perf-prof"], ("work.js", JAVASCRIPT), "hot ");
}

#[test]
fn a_function_of_a_java_program_is_named() {
    runtime(&["--jit"], &["java"], ("Work.java", JAVA), "hot(");
}
