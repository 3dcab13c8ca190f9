//! Callers: found by frame pointers where programs keep them, and by their unwind tables elsewhere.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use energy_prof::model::{FrameKind, Stack};
use energy_prof::trace::TraceReader;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::outcome::Outcome;
use crate::support::skip::skip;

/// Works for a second of CPU time, mostly in `innermost`, and a good part in the kernel.
const CHAIN: &str = r"
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
static volatile uint64_t sink;
static char random_bytes[65536];
__attribute__((noipa)) uint64_t innermost(uint64_t n) {
    for (uint64_t i = 0; i < n; i++) sink += i * i;
    syscall(SYS_getrandom, random_bytes, sizeof random_bytes, 0);
    return sink;
}
__attribute__((noipa)) uint64_t middle(uint64_t n) {
    char large[8000];
    for (uint64_t i = 0; i < sizeof large; i += 512) large[i] = n;
    return innermost(n) + large[n % sizeof large];
}
__attribute__((noipa)) uint64_t outer(uint64_t n) { return middle(n) + 1; }
int main(void) {
    struct timespec t;
    do { outer(200000); clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); } while (t.tv_sec < 1);
    return 0;
}
";

/// `None` where there is no compiler, as in the guests of `cargo xtask vm`.
fn compiled(directory: &Path, options: &[&str]) -> Option<PathBuf> {
    let (source, program) = (directory.join("chain.c"), directory.join("chain"));
    std::fs::write(&source, CHAIN).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-fno-optimize-sibling-calls"]).args(options);
    match gcc.arg("-o").arg(&program).arg(&source).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            skip("there is no gcc");
            return None;
        }
    }
    Some(program)
}

/// The stacks of a recording of the program built so.
fn stacks(building: &[&str], call_graph: &str) -> Option<Vec<Stack>> {
    let place = Place::new();
    let program = compiled(place.root(), building)?;
    let options = ["-q", "-F", "499", "--call-graph", call_graph];
    place.recorded(&options, &["--", program.to_str().unwrap()]);
    Some(all_stacks(&place.reader()))
}

fn all_stacks(reader: &TraceReader) -> Vec<Stack> {
    reader.stacks().unwrap().into_values().collect()
}

/// The names of a stack's functions in programs.
fn names(stack: &Stack) -> Vec<&str> {
    let user = stack.iter().filter(|frame| frame.kind != FrameKind::Kernel);
    user.map(|frame| frame.function.as_deref().unwrap_or("?")).collect()
}

fn has_chain(stack: &Stack) -> bool {
    names(stack).windows(4).any(|four| four == ["main", "outer", "middle", "innermost"])
}

#[test]
fn frame_pointers_lead_to_the_callers_of_programs_that_keep_them() {
    let Some(stacks) = stacks(&["-fno-omit-frame-pointer"], "fp") else { return };
    assert!(stacks.iter().any(has_chain), "{stacks:#?}");
}

#[test]
fn unwind_tables_lead_to_the_callers_of_programs_without_frame_pointers() {
    let Some(without) = stacks(&["-fomit-frame-pointer"], "fp") else { return };
    assert!(!without.iter().any(has_chain), "{without:#?}");
    let stacks = stacks(&["-fomit-frame-pointer"], "dwarf").unwrap();
    let innermost: Vec<&Stack> =
        stacks.iter().filter(|stack| names(stack).contains(&"innermost")).collect();
    assert!(innermost.len() >= 3, "{stacks:#?}");
    for stack in innermost {
        assert!(has_chain(stack), "{stack:#?}");
        assert_eq!(names(stack)[0], "_start", "{stack:#?}");
    }
    // Whoever is in the kernel was called, too.
    let in_kernel = |stack: &&Stack| stack.iter().any(|frame| frame.kind == FrameKind::Kernel);
    assert!(stacks.iter().filter(in_kernel).any(has_chain), "{stacks:#?}");
}

#[test]
fn a_copy_that_is_too_short_cuts_stacks_and_says_so() {
    let place = Place::new();
    let Some(program) = compiled(place.root(), &["-fomit-frame-pointer"]) else { return };
    let options = ["-q", "-F", "499", "--call-graph", "dwarf,2048"];
    place.recorded(&options, &["--", program.to_str().unwrap()]);
    let stacks = all_stacks(&place.reader());
    // `middle` has 8 kB of its own.
    let cut = |stack: &&Stack| names(stack).windows(2).any(|two| two == ["middle", "innermost"]);
    assert!(stacks.iter().any(|stack| cut(&stack)) && !stacks.iter().any(has_chain), "{stacks:#?}");
    let mut report = energy_prof();
    report.args(["report", "--by", "function"]).arg(place.trace());
    let said = Outcome::of(&mut report).succeeded().stdout.replace(['\n', ' '], "");
    assert!(said.contains("%ofuserstacksofchain(byjoules)arecutshort"), "{said}");
    assert!(said.contains("--call-graphdwarf,65536"), "{said}");
}

#[test]
fn without_type_information_stacks_cannot_be_copied() {
    let place = Place::new();
    let options = ["-q", "--btf", "/nonexistent", "--call-graph", "dwarf"];
    let refusal = Outcome::of(&mut place.record(&options, &["--", "true"]));
    refusal.refused(4, &["--call-graph dwarf", "CONFIG_DEBUG_INFO_BTF"]);
}
