//! Symbols: names of functions, from objects of all kinds and conditions, and from the kernel.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use energy_prof::model::{Frame, FrameKind};
use energy_prof::symbols::{SymbolOptions, Symbolizer, UserObject, VDSO, call_before};
use proptest::prelude::*;

use crate::support::program::{Program, have, run};

fn object(path: &Path) -> UserObject {
    let shown = path.to_str().unwrap().to_owned();
    UserObject { open_at: path.to_owned(), shown, build_id: None }
}

fn symbolizer() -> Symbolizer {
    Symbolizer::new(SymbolOptions { debug_dirs: Vec::new(), ..SymbolOptions::default() })
}

/// Functions' names, the outermost first.
fn names(frames: &[Frame]) -> Vec<String> {
    frames.iter().map(Frame::name).collect()
}

const CPP_PROGRAM: &str = r"
namespace space {
template <typename T> struct Pair { T a, b; __attribute__((noipa)) T sum(T c) const; };
template <typename T> T Pair<T>::sum(T c) const { return a + b + c; }
}
int main(int argc, char **) { return space::Pair<int>{argc, 2}.sum(3) & 1; }
";

/// What `addr2line -i -f -C` says of each address: function and line, the outermost first.
fn addr2line(program: &Path, addresses: &[u64]) -> Vec<Vec<(String, String)>> {
    let hexadecimal: Vec<String> = addresses.iter().map(|at| format!("{at:#x}")).collect();
    let mut arguments = vec!["-a", "-i", "-f", "-C", "-e", program.to_str().unwrap()];
    arguments.extend(hexadecimal.iter().map(String::as_str));
    let text = run("addr2line", &arguments);
    let mut all: Vec<Vec<(String, String)>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            all.push(Vec::new());
        } else {
            let place = lines.next().unwrap().split(" (discriminator").next().unwrap();
            all.last_mut().unwrap().insert(0, (line.to_owned(), place.to_owned()));
        }
    }
    all
}

#[test]
fn functions_inlined_into_each_other_are_told_as_by_addr2line() {
    let Some(program) = Program::c() else { return };
    if !have("addr2line") || !have("nm") {
        return;
    }
    let addresses = ["outer", "quiet", "main"].map(|function| program.addresses(function)).concat();
    let expected = addr2line(&program.path, &addresses);
    let found = symbolizer().user(&object(&program.path), &program.offsets(&addresses));
    let shown = |frames: &Vec<Frame>| -> Vec<(String, String)> {
        let place = |frame: &Frame| {
            let line = frame.line.map_or("?".to_owned(), |line| line.to_string());
            format!("{}:{line}", frame.file.as_deref().unwrap_or("??"))
        };
        frames.iter().map(|frame| (frame.name(), place(frame))).collect()
    };
    for ((address, expected), found) in addresses.iter().zip(&expected).zip(&found) {
        assert_eq!(&shown(found), expected, "at {address:#x}");
    }
    let deepest = found.iter().max_by_key(|frames| frames.len()).unwrap();
    assert_eq!(deepest.len(), 3, "{deepest:?}");
    let kinds: Vec<FrameKind> = deepest.iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [FrameKind::User, FrameKind::Inlined, FrameKind::Inlined]);
}

#[test]
fn without_inlined_functions_the_line_is_the_functions_own() {
    let Some(program) = Program::c() else { return };
    let offsets = program.offsets(&program.addresses("outer"));
    let options = SymbolOptions { inlines: false, ..SymbolOptions::default() };
    let found = Symbolizer::new(options).user(&object(&program.path), &offsets);
    // Lines 11 to 14 of the source are `outer`.
    for frames in found {
        assert_eq!(names(&frames), ["outer"]);
        assert!(frames[0].line.is_none_or(|line| (11..=14).contains(&line)), "{frames:?}");
    }
}

#[test]
fn the_build_id_is_read_where_it_is_not_given() {
    let Some(program) = Program::c() else { return };
    let notes = run("readelf", &["-n", program.path.to_str().unwrap()]);
    let expected = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    let mut asked = object(&program.path);
    let found = symbolizer().user(&asked, &[0]);
    assert_eq!(found[0][0].build_id.as_deref(), expected);
    asked.build_id = Some("abcd".to_owned());
    assert_eq!(symbolizer().user(&asked, &[0])[0][0].build_id.as_deref(), Some("abcd"));
}

#[test]
fn cpp_is_demangled() {
    let Some(program) = Program::compile("g++", CPP_PROGRAM, "program.cc", &[]) else { return };
    let addresses = program.addresses("_ZNK5space4PairIiE3sumEi");
    let found = symbolizer().user(&object(&program.path), &program.offsets(&addresses[..1]));
    assert_eq!(names(&found[0]), ["space::Pair<int>::sum(int) const"]);
    let expected = addr2line(&program.path, &addresses[..1]);
    assert_eq!(names(&found[0]), [expected[0][0].0.as_str()]);
}

#[test]
fn a_stripped_program_keeps_object_and_offset() {
    let Some(program) = Program::c() else { return };
    let offsets = program.offsets(&program.addresses("outer"));
    run("strip", &[program.path.to_str().unwrap()]);
    let mut symbolizer = symbolizer();
    // Those of one function have one name: where the function begins.
    let start = offsets.iter().min().unwrap();
    for (offset, frames) in offsets.iter().zip(symbolizer.user(&object(&program.path), &offsets)) {
        assert_eq!(names(&frames), [format!("program+{start:#x}")]);
        assert_eq!(frames[0].file_offset, Some(*offset));
        assert_eq!(frames[0].module.as_deref(), program.path.to_str());
        assert!(frames[0].build_id.is_some());
    }
    assert_eq!(symbolizer.warnings(), Vec::<String>::new(), "stripped is nothing wrong");
}

/// `_init` has no size and is followed by the linkage table.
#[test]
fn a_symbol_without_a_size_reaches_not_beyond_its_section() {
    let Some(program) = Program::c() else { return };
    let init = run("nm", &[program.path.to_str().unwrap()]);
    let init = init.lines().find_map(|line| line.strip_suffix(" T _init")).unwrap();
    let start = u64::from_str_radix(init, 16).unwrap();
    let start = program.offsets(&[start])[0];
    let found = symbolizer().user(&object(&program.path), &[start, start + 0x20]);
    assert_eq!(names(&found[0]), ["_init"]);
    assert_eq!(names(&found[1]), [format!("program+{:#x}", start + 0x20)]);
}

#[test]
fn debug_information_is_found_by_build_id_in_a_debug_dir() {
    let Some(program) = Program::c() else { return };
    if !have("objcopy") {
        return;
    }
    let path = program.path.to_str().unwrap();
    let offsets = program.offsets(&program.addresses("outer"));
    let options = |debug_dirs| SymbolOptions { debug_dirs, ..SymbolOptions::default() };
    let expected = symbolizer().user(&object(&program.path), &offsets);
    let id = expected[0][0].build_id.clone().unwrap();
    let root = program.dir.path().join("debug");
    let folder = root.join(".build-id").join(&id[..2]);
    fs::create_dir_all(&folder).unwrap();
    let debug = folder.join(format!("{}.debug", &id[2..]));
    run("objcopy", &["--only-keep-debug", path, debug.to_str().unwrap()]);
    run("strip", &[path]);
    run("objcopy", &[&format!("--add-gnu-debuglink={}", debug.display()), path]);
    let found = Symbolizer::new(options(vec![root])).user(&object(&program.path), &offsets);
    assert_eq!(found, expected);
    let found = Symbolizer::new(options(Vec::new())).user(&object(&program.path), &offsets[..1]);
    assert_eq!(names(&found[0]), [format!("program+{:#x}", offsets[0])]);
}

/// The deepest frames of `outer` in a program.
fn deepest(program: &Program) -> Vec<Frame> {
    let offsets = program.offsets(&program.addresses("outer"));
    let found = symbolizer().user(&object(&program.path), &offsets);
    found.into_iter().max_by_key(Vec::len).unwrap()
}

#[test]
fn compressed_debug_information_is_read() {
    let Some(program) = Program::c_with(&["-gz=zlib"]) else { return };
    let sections = run("readelf", &["-t", program.path.to_str().unwrap()]);
    assert!(sections.contains("COMPRESSED"), "nothing was compressed");
    assert_eq!(names(&deepest(&program)), ["outer", "middle", "innermost"]);
}

#[test]
fn split_debug_information_is_read_from_its_package() {
    // Version 4, since binutils' dwp 2.40 crashes on version 5.
    let Some(program) = Program::c_with(&["-gdwarf-4", "-gsplit-dwarf"]) else { return };
    if !have("dwp") {
        return;
    }
    let path = program.path.to_str().unwrap();
    let folder = program.dir.path();
    let mut package = Command::new("dwp");
    package.args(["-e", path, "-o", &format!("{path}.dwp")]).current_dir(folder);
    assert!(package.status().unwrap().success());
    assert_eq!(names(&deepest(&program)), ["outer", "middle", "innermost"]);
}

#[test]
fn where_debug_information_is_damaged_the_symbol_table_names() {
    let Some(program) = Program::c() else { return };
    if !have("objcopy") {
        return;
    }
    let garbage = program.dir.path().join("garbage");
    fs::write(&garbage, [0xee; 4000]).unwrap();
    let replaced = format!(".debug_info={}", garbage.display());
    run("objcopy", &["--update-section", &replaced, program.path.to_str().unwrap()]);
    let offsets = program.offsets(&program.addresses("outer"));
    let mut symbolizer = symbolizer();
    for frames in symbolizer.user(&object(&program.path), &offsets) {
        assert_eq!(names(&frames), ["outer"]);
    }
    assert_eq!(symbolizer.failed_objects(), 1);
}

#[test]
fn segments_that_end_beyond_the_last_address_have_no_names_and_the_next_object_is_served() {
    let Some(program) = Program::c() else { return };
    let offsets = program.offsets(&program.addresses("outer"));
    let mut bytes = fs::read(&program.path).unwrap();
    let count = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
    for at in (0..count).map(|index| 64 + 56 * index) {
        bytes[at + 8..at + 16].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
        bytes[at + 32..at + 40].copy_from_slice(&u64::MAX.to_le_bytes());
    }
    let bad = program.dir.path().join("bad");
    fs::write(&bad, bytes).unwrap();
    let mut symbolizer = symbolizer();
    survives(&mut symbolizer, &bad, &offsets);
    let found = symbolizer.user(&object(&program.path), &offsets[..1]);
    assert_eq!(found[0][0].function.as_deref(), Some("outer"));
}

#[inline(never)]
fn a_function_of_the_test_itself(x: u64) -> u64 {
    std::hint::black_box(x) * 3
}

/// Which file an address of this process is mapped from, and where in it.
fn mapped(address: u64) -> (PathBuf, u64) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let hexadecimal = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    for line in maps.lines() {
        let parts: Vec<&str> = line.split_ascii_whitespace().collect();
        let (start, end) = parts[0].split_once('-').unwrap();
        if (hexadecimal(start)..hexadecimal(end)).contains(&address) {
            return (PathBuf::from(parts[5]), address - hexadecimal(start) + hexadecimal(parts[2]));
        }
    }
    panic!("{address:#x} is not mapped")
}

#[test]
fn a_function_of_this_program_is_named_by_its_address() {
    let address = a_function_of_the_test_itself as fn(u64) -> u64 as usize as u64;
    let (path, offset) = mapped(address);
    let found = symbolizer().user(&object(&path), &[offset]);
    assert_eq!(names(&found[0]), ["suite::symbols::a_function_of_the_test_itself"]);
    assert!(found[0][0].file.as_deref().unwrap().ends_with("tests/symbols.rs"), "{found:?}");
    // The byte before it is of another function, or of none.
    let before = symbolizer().user(&object(&path), &[call_before(offset)]);
    assert_ne!(names(&before[0]), names(&found[0]));
}

#[test]
fn an_open_file_is_read_after_its_name_is_gone() {
    let Some(program) = Program::c() else { return };
    let offsets = program.offsets(&program.addresses("outer"));
    let file = fs::File::open(&program.path).unwrap();
    fs::remove_file(&program.path).unwrap();
    let open_at =
        PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)));
    let asked = UserObject { open_at, ..object(&program.path) };
    let found = symbolizer().user(&asked, &offsets);
    assert_eq!(found[0][0].function.as_deref(), Some("outer"));
    assert_eq!(found[0][0].module.as_deref(), program.path.to_str());
    let mut symbolizer = symbolizer();
    let found = symbolizer.user(&object(&program.path), &offsets[..1]);
    assert_eq!(names(&found[0]), [format!("program+{:#x}", offsets[0])]);
    assert_eq!(symbolizer.failed_objects(), 1);
    assert!(symbolizer.warnings()[0].contains("No such file"), "{:?}", symbolizer.warnings());
}

#[test]
fn a_function_of_the_c_library_is_named() {
    let (path, offset) = mapped(libc::qsort as *const () as usize as u64);
    let found = symbolizer().user(&object(&path), &[offset]);
    assert_eq!(found[0][0].function.as_deref(), Some("qsort"));
}

const CALLING_PROGRAM: &str = r#"
#include <stdlib.h>
int main(void) { free(malloc(3)); return getenv("HOME") == NULL; }
"#;

/// Addresses of the linkage table's entries and their names, as objdump tells them.
fn linkage_by_objdump(program: &Path) -> Vec<(u64, String)> {
    let text = run("objdump", &["-d", program.to_str().unwrap()]);
    let label = |line: &str| {
        let (address, name) = line.strip_suffix(">:")?.split_once(" <")?;
        // The first entry of all leads into the dynamic linker; objdump names it by the next.
        name.ends_with("@plt").then(|| (u64::from_str_radix(address, 16).unwrap(), name.to_owned()))
    };
    text.lines().filter_map(label).collect()
}

#[test]
fn jumps_to_functions_of_libraries_are_named_as_by_objdump() {
    if !have("objdump") {
        return;
    }
    let checked = ["-O0", "-fcf-protection=full", "-Wl,-z,ibtplt", "-Wl,-z,lazy"];
    let Some(checked) = Program::compile("gcc", CALLING_PROGRAM, "calls.c", &checked) else {
        return;
    };
    let programs = [Path::new("/usr/bin/ls"), Path::new("/usr/bin/bash"), &checked.path];
    for program in programs {
        let known = linkage_by_objdump(program);
        assert!(known.len() >= 3, "{}: {known:?}", program.display());
        // The code of these is at offsets that are its addresses.
        let middles: Vec<u64> = known.iter().map(|(address, _)| address + 7).collect();
        let found = symbolizer().user(&object(program), &middles);
        let found: Vec<String> = found.iter().flat_map(|frames| names(frames)).collect();
        let known: Vec<String> = known.into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, known, "{}", program.display());
    }
}

#[test]
fn the_vdso_is_named() {
    let vdso = UserObject { shown: VDSO.to_owned(), ..object(Path::new("")) };
    let offsets: Vec<u64> = (0..0x2000).step_by(16).collect();
    let mut symbolizer = symbolizer();
    let found = symbolizer.user(&vdso, &offsets);
    let is = |frames: &Vec<Frame>| {
        frames[0].function.as_deref().is_some_and(|name| name.ends_with("clock_gettime"))
    };
    if !fs::read_to_string("/proc/self/maps").unwrap().contains(VDSO) {
        eprintln!("skipped: no vDSO");
        return;
    }
    assert!(found.iter().any(is), "{:?}", symbolizer.warnings());
}

#[test]
fn what_is_no_object_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (text, pipe) = (dir.path().join("text"), dir.path().join("pipe"));
    fs::write(&text, "MZ a program of another system").unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut symbolizer = symbolizer();
    assert_eq!(names(&symbolizer.user(&object(&text), &[5])[0]), ["text+0x5"]);
    assert_eq!(symbolizer.failed_objects(), 0);
    assert_eq!(names(&symbolizer.user(&object(&pipe), &[5])[0]), ["pipe+0x5"]);
    assert!(symbolizer.warnings()[0].contains("not a regular file"));
}

#[test]
fn many_failures_are_counted_and_a_few_are_told() {
    let mut symbolizer = symbolizer();
    for n in 0..40 {
        symbolizer.user(&object(Path::new(&format!("/nowhere/{n}"))), &[1]);
    }
    assert_eq!(symbolizer.failed_objects(), 40);
    let warnings = symbolizer.warnings();
    assert_eq!(warnings.len(), 6);
    assert_eq!(warnings[5], "and so may those of 35 more objects");
}

/// The bytes of a program with debug information, and the offsets of its code.
static WHOLE: LazyLock<Option<(Vec<u8>, Vec<u64>)>> = LazyLock::new(|| {
    let program = Program::c()?;
    let offsets = program.offsets(&program.addresses("outer"));
    Some((fs::read(&program.path).unwrap(), offsets))
});

/// Every offset gets at least one frame of the object, whatever the file is.
fn survives(symbolizer: &mut Symbolizer, path: &Path, offsets: &[u64]) {
    let found = symbolizer.user(&object(path), offsets);
    assert_eq!(found.len(), offsets.len());
    for (offset, frames) in offsets.iter().zip(&found) {
        assert!(!frames.is_empty());
        let belongs = |frame: &Frame| {
            frame.file_offset == Some(*offset) && frame.module.as_deref() == path.to_str()
        };
        assert!(frames.iter().all(belongs), "{frames:?}");
    }
}

#[test]
fn a_program_cut_off_anywhere_is_survived() {
    let Some((bytes, offsets)) = &*WHOLE else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut symbolizer = symbolizer();
    let lengths = (0..128).chain((128..bytes.len()).step_by(97));
    for length in lengths {
        let path = dir.path().join(format!("cut-{length}"));
        fs::write(&path, &bytes[..length]).unwrap();
        survives(&mut symbolizer, &path, offsets);
        fs::remove_file(&path).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_program_is_survived(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
        headers_only: bool,
    ) {
        if let Some((bytes, offsets)) = &*WHOLE {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut bytes = bytes.clone();
            // Damage in the headers, at both ends, leads the furthest astray.
            let (length, tail) = (bytes.len(), bytes.len() - 3000);
            for (place, byte) in damage {
                let at = place.index(if headers_only { 3064 } else { length });
                bytes[if headers_only && at >= 64 { tail + at - 64 } else { at }] = byte;
            }
            bytes[..4].copy_from_slice(b"\x7fELF");
            file.as_file().write_all_at(&bytes, 0).unwrap();
            survives(&mut symbolizer(), file.path(), offsets);
        }
    }

    #[test]
    fn random_bytes_are_survived(tail in prop::collection::vec(any::<u8>(), 0..4096)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all_at(b"\x7fELF\x02\x01\x01", 0).unwrap();
        file.as_file().write_all_at(&tail, 7).unwrap();
        survives(&mut symbolizer(), file.path(), &[0, 64, 4000, u64::MAX]);
    }
}

#[test]
fn functions_of_the_kernel_have_a_name_and_a_module() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("kallsyms");
    let text =
        "ffffffff81001000 T do_work\nffffffff81001080 T more\nffffffffc0000000 t f\t[ext4]\n";
    fs::write(&list, text).unwrap();
    let mut symbolizer = symbolizer().with_kallsyms(list);
    let found = symbolizer.kernel(&[0xffff_ffff_8100_1010, 0xffff_ffff_c000_0001, 0x10]);
    let shown = |frames: &Vec<Frame>| {
        assert!(frames.len() == 1 && frames[0].kind == FrameKind::Kernel);
        (frames[0].name(), frames[0].module.clone().unwrap())
    };
    let shown: Vec<(String, String)> = found.iter().map(shown).collect();
    let expected = [("do_work", "[kernel]"), ("f", "ext4"), ("[kernel]+0x10", "[kernel]")];
    assert_eq!(shown, expected.map(|(name, module)| (name.to_owned(), module.to_owned())));
    assert!(symbolizer.warnings().is_empty());
}

#[test]
fn a_kernel_that_hides_its_addresses_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("kallsyms");
    fs::write(&list, "0000000000000000 T do_work\n").unwrap();
    let missing = dir.path().join("none");
    for (path, why) in [(list, "kernel.kptr_restrict"), (missing, "No such file")] {
        let mut symbolizer = symbolizer().with_kallsyms(path);
        for _ in 0..2 {
            let found = symbolizer.kernel(&[0xffff_ffff_8100_1010]);
            assert_eq!(names(&found[0]), ["[kernel]+0xffffffff81001010"]);
        }
        let warnings = symbolizer.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains(why), "{warnings:?}");
    }
}

#[test]
fn functions_of_the_running_kernel_are_named() {
    let listed = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let wanted = listed.lines().find_map(|line| line.strip_suffix(" T vfs_read"));
    let address = wanted.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
    if address == 0 {
        eprintln!("skipped: no addresses in /proc/kallsyms");
        return;
    }
    assert_eq!(names(&symbolizer().kernel(&[address + 5])[0]), ["vfs_read"]);
}

#[test]
fn the_kernel_is_not_asked_where_it_is_not_wanted() {
    let options = SymbolOptions { kernel: false, ..SymbolOptions::default() };
    let mut symbolizer = Symbolizer::new(options).with_kallsyms(PathBuf::from("/nowhere"));
    assert_eq!(names(&symbolizer.kernel(&[0x10])[0]), ["[kernel]+0x10"]);
    assert!(symbolizer.warnings().is_empty());
}
