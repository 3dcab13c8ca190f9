//! Functions have the energy that they used: programs whose functions have known parts of their
//! threads' time, by the clocks of those threads.
//!
//! Energy is a model's here, so that a thread's joules are in proportion to its time, and a
//! function's share of them can be compared with its share of the time.

use std::path::PathBuf;
use std::process::Command;

use energy_prof::model::StackSample;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::functions::{Function, functions, report, rows};
use crate::support::load::cpus;
use crate::support::outcome::Outcome;
use crate::support::recorded::Recorded;
use crate::support::skip::skip;
use crate::support::workload::{compile, numbers, path_of};

/// Whose joules are in proportion to time.
const MODELLED: [&str; 5] = ["-q", "--source", "model", "-F", "997"];

/// CPU time of a program of known duties, in milliseconds.
const SPELL: &str = "3000";

/// How far a function's share may be from the truth, as a part of it, when sampled for ever.
const BIAS: f64 = 0.06;

/// The error of a share of `samples` that is hardly ever exceeded: four standard deviations of as
/// many draws.
fn sampling_error(share: f64, samples: u64) -> f64 {
    4.0 * (share * (1.0 - share) / exact(samples)).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "microjoules and nanoseconds of seconds")]
fn exact(number: u64) -> f64 {
    number as f64
}

/// Records a program of known duties, and compares the shares of what `is_duty` says are the
/// functions `a` to `d` with what the program says they had.
fn assert_shares(command: &[&str], is_duty: impl Fn(&str, &str) -> bool) {
    let place = Place::new();
    let mut record = place.record(&MODELLED, &[&["--"], command].concat());
    // Node leaves a file where it runs.
    let output = record.current_dir(place.root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_shares_are(&place, &numbers(&output.stdout), &[], is_duty);
}

fn assert_shares_are(
    place: &Place,
    truth: &[(String, u64)],
    options: &[&str],
    is_duty: impl Fn(&str, &str) -> bool,
) {
    let functions = functions(place, options);
    let measured: Vec<u64> = truth
        .iter()
        .map(|(duty, _)| {
            let its = functions.iter().filter(|function| is_duty(duty, &function.name));
            its.map(|function| function.total).sum()
        })
        .collect();
    let samples = functions.iter().map(|function| function.samples).sum();
    let all: u64 = truth.iter().map(|(_, ns)| ns).sum();
    let all_measured: u64 = measured.iter().sum();
    assert!(measured.iter().all(|energy| *energy > 0), "{measured:?}: {functions:#?}");
    for ((duty, ns), energy) in truth.iter().zip(&measured) {
        let share = exact(*ns) / exact(all);
        let error = exact(*energy) / exact(all_measured) - share;
        println!("{duty}: {:.2} %, error {:+.2} points of {samples}", 100.0 * share, 100.0 * error);
        let bound = BIAS * share + sampling_error(share, samples);
        assert!(error.abs() <= bound, "{duty}: {error} of {share}: {functions:#?}");
    }
    // What has no caller known is in none of them, nor is what a runtime does before and after: it
    // must be little.
    let known = exact(all_measured) / exact(functions.iter().map(|function| function.own).sum());
    assert!(known > 0.95, "only {known} is in the functions: {functions:#?}");
}

fn is_c_duty(duty: &str, function: &str) -> bool {
    duty == function
}

/// A program, or why it is not there; then the test has said so.
fn or_skip(program: Result<PathBuf, String>) -> Option<String> {
    program.map_err(|why| skip(&why)).ok().map(|path| path.to_str().unwrap().to_owned())
}

#[test]
fn shares_of_c_functions_are_those_of_their_thread() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    assert_shares(&[&program, SPELL], is_c_duty);
}

#[test]
fn shares_of_cpp_functions_are_those_of_their_thread() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.cpp")) else { return };
    let name = |duty: &str| match duty {
        "a" => "void duty::spin<3>(unsigned long)",
        "b" => "void duty::spin<5>(unsigned long)",
        "c" => "void duty::spin<7>(unsigned long)",
        _ => "void duty::spin<9>(unsigned long)",
    };
    assert_shares(&[&program, SPELL], |duty, function| function == name(duty));
}

#[test]
fn shares_of_rust_functions_are_those_of_their_thread() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.rs")) else { return };
    let name = |duty: &str| match duty {
        "a" => "<duty::Factor<3> as duty::Duty>::spin",
        "b" => "<duty::Factor<5> as duty::Duty>::spin",
        "c" => "<duty::Factor<7> as duty::Duty>::spin",
        _ => "<duty::Factor<8> as duty::Duty>::spin",
    };
    assert_shares(&[&program, SPELL], |duty, function| function == name(duty));
}

#[test]
fn shares_of_go_functions_are_those_of_their_thread() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.go")) else { return };
    assert_shares(&[&program, SPELL], |duty, function| function == format!("main.{duty}"));
}

#[test]
fn shares_of_python_functions_are_those_of_their_thread() {
    let Some(python) = python() else {
        return skip("no Python 3.12 or newer that was built with frame pointers");
    };
    let script = path_of("duty.py");
    let command = [&python, "-X", "perf", script.to_str().unwrap(), SPELL];
    assert_shares(&command, |duty, function| function.starts_with(&format!("py::{duty}:")));
}

/// A Python that can tell its functions. Its interpreter must have frame pointers, or its own
/// functions have no callers.
fn python() -> Option<String> {
    const ASK: &str = "import sys, sysconfig
        sys.activate_stack_trampoline('perf')
        flags = sysconfig.get_config_var('CFLAGS') + sysconfig.get_config_var('PY_CORE_CFLAGS')
        sys.exit('-fno-omit-frame-pointer' not in flags)";
    let ask = ASK.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    let names = ["python3.14", "python3.13", "python3.12", "python3"];
    let can = |name: &&str| {
        let output = Command::new(name).args(["-c", &ask]).output();
        output.is_ok_and(|output| output.status.success())
    };
    names.into_iter().find(can).map(ToOwned::to_owned)
}

#[test]
fn shares_of_javascript_functions_are_those_of_their_process() {
    if Command::new("node").arg("--version").output().is_err() {
        return skip("no node");
    }
    let script = path_of("duty.js");
    let script = script.to_str().unwrap();
    let options = ["--perf-basic-prof", "--interpreted-frames-native-stack", "--no-turbo-inlining"];
    let command = [&["node"][..], &options, &[script, SPELL]].concat();
    // `JS:*a /…/duty.js:22:11`: the sign tells which of node's compilers made it.
    assert_shares(&command, |duty, function| {
        let named = function.strip_prefix("JS:").and_then(|name| name.split_once(' '));
        named.is_some_and(|(name, at)| {
            name.trim_start_matches(['~', '^', '+', '*', '\'', 'o']) == duty && at.contains(script)
        })
    });
}

/// That what a thread's functions have is what the thread has, to the microjoule, for every target.
fn assert_threads_close(place: &Place) {
    let threads = report(place, &["--by", "thread"]);
    let threads: Vec<_> = rows(&threads).iter().filter(|row| row["kind"] == "target").collect();
    assert!(!threads.is_empty());
    for thread in threads {
        let tid = thread["tid"].to_string();
        let code = report(place, &["--by", "function", "--tid", &tid]);
        let its =
            rows(&code).iter().filter(|row| row["kind"] == "code" || row["kind"] == "unsampled");
        let sum: u64 = its.map(|row| row["energy_uj"].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), thread["energy_uj"].as_u64(), "{thread:#}");
        assert_eq!(Some(sum), code["stacks"]["energy_uj"].as_u64());
        let all = rows(&code).iter().filter_map(|row| row["energy_uj"].as_u64()).sum::<u64>();
        assert_eq!(Some(all), code["total"]["measured_uj"].as_u64());
    }
}

#[test]
fn threads_that_move_between_cpus_have_their_own_functions_and_close() {
    let [first, second, ..] = cpus()[..] else { return skip("one CPU only") };
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "wandering.c")) else { return };
    let (first, second) = (first.to_string(), second.to_string());
    let output = place.recorded(&MODELLED, &["--", &program, "800", &first, &second]);
    let truth = numbers(&output.stdout);
    assert_shares_are(&place, &truth, &["--comm", "left,right"], is_c_duty);
    for (thread, other) in [("left", "right"), ("right", "left")] {
        let its = functions(&place, &["--comm", thread]);
        assert!(its.iter().any(|function| function.name == thread), "{its:#?}");
        assert!(its.iter().all(|function| function.name != other), "{its:#?}");
        let recorded = Recorded::of(&place);
        let number = recorded.threads_where(|info| info.comm == thread)[0].0;
        let rows = recorded.residency.iter().filter(|row| row.thread == number);
        let mut on: Vec<u16> = rows.map(|row| row.cpu).collect();
        on.sort_unstable();
        on.dedup();
        assert!(on.len() >= 2, "{thread} stayed on {on:?}");
    }
    assert_threads_close(&place);
}

#[test]
fn lines_and_callers_add_up_to_their_functions() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    place.recorded(&MODELLED, &["--", &program, "500"]);
    assert_threads_close(&place);
    let by_function = functions(&place, &[]);
    let find = |name: &str| -> &Function {
        let found: Vec<_> = by_function.iter().filter(|function| function.name == name).collect();
        assert_eq!(found.len(), 1, "{by_function:#?}");
        found[0]
    };
    // All of a line's functions: its text is a macro's, so that they share it.
    let by_line = report(&place, &["--by", "line"]);
    for name in ["a", "b", "c", "d"] {
        let lines = rows(&by_line).iter().filter(|row| row["name"] == name);
        let lines: Vec<_> = lines.collect();
        assert!(lines.iter().all(|row| row["file"].as_str().unwrap().ends_with("/duty.c")));
        assert!(lines.iter().all(|row| row["line"].as_u64().is_some()), "{lines:#?}");
        let sum: u64 = lines.iter().map(|row| row["energy_uj"].as_u64().unwrap()).sum();
        assert_eq!(sum, find(name).own);
    }
    let around = report(&place, &["--function", "d"]);
    let energy = |part: &serde_json::Value| part["energy_uj"].as_u64().unwrap();
    assert_eq!(energy(&around["function"]["total"]), find("d").total);
    assert_eq!(energy(&around["function"]["self"]), find("d").own);
    for side in ["callers", "callees"] {
        let neighbours = around[side].as_array().unwrap();
        assert_eq!(neighbours.iter().map(energy).sum::<u64>(), find("d").total, "{side}");
    }
    let callers = around["callers"].as_array().unwrap();
    let main = callers.iter().find(|caller| caller["name"] == "main").unwrap();
    assert!(exact(energy(main)) > 0.97 * exact(find("d").total), "{callers:#?}");
}

#[test]
fn without_stacks_there_are_none() {
    let place = Place::new();
    place.recorded(
        &["-q", "--no-stacks"],
        &["--", "sh", "-c", "i=0; while [ $i -lt 99999 ]; do i=$((i+1)); done"],
    );
    for table in ["samples", "stacks"] {
        assert!(!place.trace().join(format!("{table}.parquet")).exists());
    }
    assert_eq!(place.reader().samples().unwrap().count(), 0);
    assert_eq!(place.reader().stacks().unwrap().len(), 0);
    let mut refused = energy_prof();
    refused.arg("report").arg(place.trace()).args(["--by", "function"]);
    Outcome::of(&mut refused).refused(7, &["no stacks", "--no-stacks"]);
}

#[test]
fn at_ten_thousand_samples_a_second_none_is_lost_without_being_counted() {
    let place = Place::new();
    let Some(program) = or_skip(compile(place.root(), "duty.c")) else { return };
    let options = ["-q", "--source", "model", "-F", "9999"];
    let output = place.recorded(&options, &["--", &program, "1000"]);
    let truth = numbers(&output.stdout);
    assert_shares_are(&place, &truth, &[], is_c_duty);
    let recorded = Recorded::of(&place);
    let number = recorded.threads_where(|info| info.comm == "duty")[0].0;
    let samples: Vec<StackSample> =
        place.reader().samples().unwrap().flat_map(Result::unwrap).collect();
    let its = || samples.iter().filter(|sample| sample.thread == number);
    let taken: u64 = its().map(|sample| u64::from(sample.samples)).sum();
    let lost = recorded.session.losses.samples;
    let spent = recorded.spent(number).oncpu;
    println!("{taken} samples in {spent:?} of CPU time, {lost} lost");
    // The kernel itself leaves samples out where taking them takes too long.
    assert!(exact(taken + lost) > 0.5 * 9999.0 * spent.as_secs_f64(), "{taken} + {lost}");
    // Samples that are there stand for those that are not.
    let stood_for: u64 = its().map(|sample| sample.oncpu.get()).sum();
    assert!(exact(stood_for) > 0.99 * spent.as_secs_f64() * 1e9, "{stood_for} of {spent:?}");
}
