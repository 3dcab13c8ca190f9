//! The command line without rights: help, usage, and what is said of traces that cannot be read.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use energy_prof::trace::TraceReader;
use serde_json::Value;

use crate::support::energy_prof::{Place, energy_prof};
use crate::support::nobody::{as_nobody, give_to_nobody, open_to_all};
use crate::support::outcome::Outcome;
use crate::support::skip::skip;
use crate::support::small_trace::{PACKAGE, cut_off_after_five, cut_off_at_once, ten_windows};

fn outcome(arguments: &[&str]) -> Outcome {
    Outcome::of(energy_prof().args(arguments))
}

/// `energy-prof COMMAND TRACE OPTIONS…`.
fn of_trace(command: &str, trace: &Path, options: &[&str]) -> Outcome {
    Outcome::of(energy_prof().arg(command).arg(trace).args(options))
}

/// A place with a finished trace.
fn recorded() -> Place {
    let place = Place::new();
    ten_windows(&place.trace());
    place
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn help_names_the_commands_and_every_exit_code() {
    let help = outcome(&["--help"]).succeeded();
    assert_eq!(help.stderr, "");
    for command in [
        "record",
        "report",
        "import",
        "calibrate",
        "attribute",
        "stat",
        "doctor",
        "completions",
        "man",
    ] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "126", "127"] {
        assert!(help.stdout.contains(&format!("\n  {code:<4} ")), "{code}");
    }
    assert!(!help.stdout.contains("simulate"));
    assert_eq!(outcome(&["--version"]).succeeded().stdout, "energy-prof 0.1.0\n");
}

#[test]
fn no_command_at_all_shows_the_help_as_an_error() {
    let shown = outcome(&[]);
    assert_eq!((shown.code, shown.stdout.as_str()), (2, ""));
    assert!(shown.stderr.contains("Usage: energy-prof"));
}

#[test]
fn help_is_never_wider_than_a_terminal() {
    for page in [&["--help"][..], &["record", "--help"], &["report", "--help"], &["stat", "-h"]] {
        let help = outcome(page).succeeded().stdout;
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{page:?}: {widest:?}");
    }
}

#[test]
fn record_without_a_target_shows_the_three_forms() {
    for arguments in [&["record"][..], &["record", "--"], &["record", "-d", "1s"]] {
        let words = ["record -- CMD…", "record -p PID,…", "record -a"];
        outcome(arguments).refused(2, &words);
    }
}

#[test]
fn targets_exclude_each_other() {
    for arguments in
        [&["-a", "-p", "1"][..], &["-a", "--", "true"], &["-p", "1", "--", "true"], &["-p"]]
    {
        let refusal = Outcome::of(energy_prof().arg("record").args(arguments));
        refusal.refused(2, &["--"]);
    }
    for target in [&["-a"][..], &["-p", "1"]] {
        let refusal = Outcome::of(energy_prof().args(["record", "--jit"]).args(target));
        refusal.refused(2, &["--jit", "record --jit -- CMD…"]);
    }
    outcome(&["stat"]).refused(2, &["<CMD>"]);
    outcome(&["stat", "-r", "0", "--", "true"]).refused(2, &["--repeat", "1..=10000"]);
}

#[test]
fn counters_that_would_be_of_no_use_are_refused() {
    for command in ["record", "doctor"] {
        let arguments = [command, "--core-counters", "--source", "model"];
        let all = arguments.into_iter().chain((command == "record").then_some("-a"));
        outcome(&all.collect::<Vec<_>>()).refused(2, &["--core-counters", "--source model"]);
    }
    let stat = ["stat", "--model", "cycles", "--counters", "instructions", "--", "true"];
    outcome(&stat).refused(2, &["add --counters cycles"]);
    outcome(&["record", "-a", "--counters", "joules"]).refused(2, &["cycles, instructions"]);
    outcome(&["report", "--smt", "1.5"]).refused(2, &["0.5 to 1"]);
}

#[test]
fn a_place_of_zones_is_refused_where_none_are_read() {
    for arguments in [&["record", "-a"][..], &["stat"], &["doctor"]] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--powercap-root=/nowhere", "--source=hwmon"]);
        if arguments[0] == "stat" {
            arguments.extend(["--", "true"]);
        }
        outcome(&arguments).refused(2, &["--source hwmon reads no powercap zones"]);
    }
}

#[test]
fn an_option_that_makes_no_sense_is_told_what_would() {
    let pid = "`ps -e` lists the ones there are";
    let time = "write 100ms, 1.5s or 2m";
    let log = "a power of two from 256 to 1048576";
    for (option, values, hint) in [
        ("--pid", &["0", "-1", "x", "", "1,,2", "1,", "99999999999", "1.5"][..], pid),
        ("--window", &["", "x", "-5", "-1s", "1e30", "ms", "1 fortnight"], time),
        ("--window", &["0", "999us", "10.1s", "1h"], "choose 1 ms to 10 s"),
        ("--duration", &["", "soon", "-1s", "nan", "inf"], time),
        ("--duration", &["0", "0s"], "longer than nothing"),
        ("--log-records", &["", "0", "255", "300", "2097152", "x", "-256"], log),
        (
            "--source",
            &["", "rapl"],
            "possible values: auto, rapl-perf, rapl-powercap, rapl-msr, nvml, hwmon, battery, model",
        ),
    ] {
        for value in values {
            let mut command = energy_prof();
            command.arg("record").arg(format!("{option}={value}"));
            if option != "--pid" {
                command.arg("-a");
            }
            Outcome::of(&mut command).refused(2, &[hint]);
        }
    }
    let domain = "expected package, core, uncore, dram, psys, machine, gpu or rail";
    for (option, values, hint) in [
        ("--idle-watts", &["", "x", "12.5", "package-0"][..], "write it as package-0=12.5"),
        ("--idle-watts", &["disk=1", "package-x=1", "=1"], domain),
        ("--idle-watts", &["package-0=", "package-0=-1", "package-0=nan", "dram=1e9"], "no power"),
        ("--sort", &["", "energy"], "expected joules, total, watts, cpu, name"),
        ("--by", &["", "pid"], "expected process, thread, exec"),
        ("--by", &["", "functions"], "domain, function, line"),
        ("--pid", &["", "-5", "x"], "no process id"),
        ("--model", &["", "watts"], "expected time, regress"),
        ("--idle", &["", "none"], "expected separate, proportional, equal"),
        ("--from", &["", "x"], time),
        ("--to", &["-1"], time),
        ("--top", &["-1", "all"], "--top"),
        ("--color", &["red"], "possible values: auto, always, never"),
    ] {
        for value in values {
            outcome(&["report", &format!("{option}={value}")]).refused(2, &[hint]);
        }
    }
}

#[test]
fn a_pid_that_a_shell_could_take_for_an_option_is_still_a_bad_pid() {
    outcome(&["record", "-p", "-5"]).refused(2, &["no process id"]);
    outcome(&["record", "-a", "--window", "-5"]).refused(2, &["no length of time"]);
    outcome(&["record", "-a", "-d", "-5"]).refused(2, &["no length of time"]);
}

#[test]
fn a_user_who_is_not_root_is_told_to_use_sudo_and_nothing_is_touched() {
    let place = recorded();
    open_to_all(&place.trace());
    let before = fs::read(place.trace().join("session.json")).unwrap();
    for target in [&["-a"][..], &["--", "true"], &["-p", "1"]] {
        let refusal = Outcome::of(as_nobody(place.root()).arg("record").args(target));
        refusal.refused(3, &["cannot load BPF programs", "permission denied", "sudo energy-prof"]);
    }
    Outcome::of(as_nobody(place.root()).args(["stat", "--", "true"])).refused(3, &["sudo"]);
    assert_eq!(fs::read(place.trace().join("session.json")).unwrap(), before);
    assert!(!place.root().join("energy.trace.old").exists());
}

#[test]
fn a_command_that_is_not_there_is_told_before_any_right_is_needed() {
    let place = recorded();
    let refusal = |command: &str, code: i32, words: &[&str]| {
        Outcome::of(place.record(&["--force"], &["--", command]).env("PATH", "/usr/bin:/bin"))
            .refused(code, words);
    };
    refusal("no-such-command", 127, &["no-such-command", "command not found", "PATH"]);
    refusal("/nonexistent/program", 127, &["/nonexistent/program", "command not found"]);
    refusal("", 127, &["command not found"]);
    refusal("/etc/passwd", 126, &["/etc/passwd", "permission denied", "executable file"]);
    refusal("/tmp", 126, &["/tmp", "permission denied"]);
    place.reader();
}

#[test]
fn a_trace_that_cannot_be_read_is_refused_by_every_command_with_the_way_out() {
    let place = recorded();
    let broken = |name: &str, break_it: &dyn Fn(&Path)| {
        let trace = place.root().join(name);
        ten_windows(&trace);
        break_it(&trace);
        trace
    };
    let file = place.root().join("notes.txt");
    fs::write(&file, "notes").unwrap();
    let empty = place.root().join("empty");
    fs::create_dir(&empty).unwrap();
    let foreign = place.root().join("photos");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("cat.jpg"), "cat").unwrap();
    let other_table = broken("other-table", &|trace| {
        fs::copy(trace.join("energy.parquet"), trace.join("residency.parquet")).unwrap();
    });
    let short = broken("short", &|trace| {
        let table = fs::read(trace.join("residency.parquet")).unwrap();
        fs::write(trace.join("residency.parquet"), &table[..table.len() / 2]).unwrap();
    });
    // The footer, which is looked at first, is whole.
    let rotten = broken("rotten", &|trace| {
        let mut table = fs::read(trace.join("residency.parquet")).unwrap();
        let middle = table.len() / 4;
        table[4..middle].fill(0xff);
        fs::write(trace.join("residency.parquet"), table).unwrap();
    });
    let newer = broken("newer", &|trace| {
        let text = fs::read_to_string(trace.join("session.json")).unwrap();
        let text = text.replace(r#""schema_version": 1"#, r#""schema_version": 7"#);
        let text = text.replace("energy-prof 0.1.0", "energy-prof 7.0.0");
        fs::write(trace.join("session.json"), text).unwrap();
    });
    let incomplete = broken("incomplete", &|trace| {
        fs::remove_file(trace.join("windows.parquet")).unwrap();
    });
    let at_once = place.root().join("at-once");
    cut_off_at_once(&at_once);
    let missing = place.root().join("missing");
    let table = place.trace().join("energy.parquet");
    for (trace, words) in [
        (&missing, &["missing", "no such file or directory", "energy-prof record"][..]),
        (&file, &["notes.txt", "not a directory", "give the directory"]),
        (&table, &["a file in one", "give the directory"]),
        (&empty, &["empty", "no session.json", "give the directory"]),
        (&foreign, &["photos", "no session.json", "give the directory"]),
        (&other_table, &["residency.parquet", "no column thread", "restore the file"]),
        (&short, &["residency.parquet", "damaged", "copy the trace again"]),
        (&rotten, &["residency.parquet", "damaged", "copy the trace again"]),
        (&newer, &["schema 7", "energy-prof 7.0.0 or newer"]),
        (&incomplete, &["windows.parquet", "missing", "copy the whole directory"]),
        (&at_once, &["no whole window", "cut off after 0 windows", "record for longer"]),
    ] {
        of_trace("report", trace, &[]).refused(7, words);
        of_trace("report", trace, &["--json"]).refused(7, words);
        of_trace("attribute", trace, &[]).refused(7, words);
        assert!(!trace.join("attributed.parquet").exists());
    }
}

#[test]
fn a_closed_trace_is_told_to_be_read_by_its_owner() {
    if !nix::unistd::geteuid().is_root() {
        skip("only root can make a trace that is not this user's");
        return;
    }
    let place = recorded();
    for command in ["report", "attribute"] {
        let refusal = Outcome::of(as_nobody(place.root()).arg(command));
        refusal.refused(7, &["permission denied", "as its owner or as root"]);
    }
}

#[test]
fn a_report_and_attributed_rows_need_no_rights() {
    let place = recorded();
    give_to_nobody(&place.trace());
    Outcome::of(as_nobody(place.root()).arg("report")).succeeded();
    Outcome::of(as_nobody(place.root()).arg("attribute")).succeeded();
    assert!(place.trace().join("attributed.parquet").exists());
}

#[test]
fn an_unfinished_trace_is_reported_and_says_so() {
    let place = Place::new();
    cut_off_after_five(&place.trace());
    let shown = of_trace("report", &place.trace(), &[]).succeeded().stdout;
    assert!(shown.contains("unfinished   recording was cut off after 5 windows"), "{shown}");
    let report = json(&of_trace("report", &place.trace(), &["--json"]).succeeded().stdout);
    assert_eq!(report["recording"]["complete"], false);
    assert_eq!(report["total"]["measured_uj"], 5_000_000);
}

#[test]
fn a_report_in_json_adds_up() {
    let place = recorded();
    let options = ["--json", "--idle-watts", "package-0=2"];
    let report = json(&of_trace("report", &place.trace(), &options).succeeded().stdout);
    // 10 J, of which 2 W over a second are idle; 60 ms and 20 ms of each window share the rest.
    assert_eq!(report["total"]["measured_uj"], 10_000_000);
    assert_eq!(report["total"]["idle_uj"], 2_000_000);
    let rows = report["rows"].as_array().unwrap();
    let energy = |row: &Value| row["energy_uj"].as_u64().unwrap();
    let targets = rows.iter().filter(|row| row["kind"] == "target");
    assert_eq!(targets.map(energy).collect::<Vec<_>>(), [6_000_000, 2_000_000]);
    assert_eq!(rows.iter().map(energy).sum::<u64>(), 10_000_000);
}

#[test]
fn every_grouping_and_order_is_shown() {
    let place = recorded();
    for by in ["process", "thread", "exec", "cgroup", "container", "unit", "user", "domain"] {
        let shown = of_trace("report", &place.trace(), &["--by", by]).succeeded().stdout;
        assert!(shown.contains("joules"), "{shown}");
    }
    for sort in ["joules", "watts", "cpu", "name"] {
        of_trace("report", &place.trace(), &["--sort", sort, "--top", "1", "--all"]).succeeded();
    }
}

#[test]
fn a_part_that_is_not_there_and_a_domain_that_is_not_are_usage_errors() {
    let place = recorded();
    let refusal = |options: &[&str], words: &[&str]| {
        of_trace("report", &place.trace(), options).refused(2, words);
    };
    refusal(&["--from", "5s"], &["no window begins there", "lasts 1.000 s", "--from and --to"]);
    refusal(&["--from", "0.5s", "--to", "0.2s"], &["no window begins there"]);
    refusal(&["--idle-watts", "dram-0=3"], &["dram-0", "it has package-0"]);
}

#[test]
fn attributed_rows_add_up_to_the_report() {
    let place = recorded();
    let said = of_trace("attribute", &place.trace(), &["--idle-watts", "package-0=2"]).succeeded();
    assert_eq!(said.stdout, "");
    // Two threads in each of ten windows.
    assert!(said.stderr.contains("attributed.parquet (20 rows)"), "{}", said.stderr);
    let reader = TraceReader::open(&place.trace()).unwrap();
    let rows: Vec<_> = reader.attributed().unwrap().unwrap().flat_map(Result::unwrap).collect();
    assert!(rows.iter().all(|row| row.domain == PACKAGE));
    assert_eq!(rows.iter().map(|row| row.energy.get()).sum::<u64>(), 8_000_000);
}

#[test]
fn a_reader_that_has_had_enough_and_a_full_disk_are_no_panic() {
    let place = recorded();
    for arguments in [&["report"][..], &["doctor"], &["completions", "bash"], &["man"]] {
        let mut command = energy_prof();
        command.args(arguments).current_dir(place.root());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let gone = Outcome::of_child(child);
        assert_eq!(gone.stderr, "", "{arguments:?}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = energy_prof();
    command.arg("report").current_dir(place.root()).stdout(full);
    Outcome::of(&mut command).refused(1, &["cannot write to stdout", "No space left", "disk"]);
}

#[test]
fn complaints_survive_a_closed_stderr() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = energy_prof().args(["report", "missing"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(7));
    let status = energy_prof().arg("record").stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn colours_are_for_terminals_and_for_whoever_asks() {
    let place = recorded();
    let coloured = |options: &[&str]| {
        of_trace("report", &place.trace(), options).succeeded().stdout.contains('\u{1b}')
    };
    assert!(!coloured(&[]));
    assert!(!coloured(&["--color", "never"]));
    assert!(coloured(&["--color", "always"]));
}

#[test]
fn doctor_says_what_this_machine_can_do_as_text_and_json() {
    let shown = outcome(&["doctor"]).succeeded();
    assert!(shown.stdout.starts_with("energy-prof 0.1.0: "), "{}", shown.stdout);
    assert!(shown.stdout.trim_end().lines().last().unwrap().starts_with("`record` "));
    let report = json(&outcome(&["doctor", "--json"]).succeeded().stdout);
    assert_eq!(report["schema_version"], 1);
    assert!(report["can_record"].is_boolean() && report["measured"].is_boolean());
    for finding in report["findings"].as_array().unwrap() {
        assert!(["ok", "degraded", "missing"].contains(&finding["state"].as_str().unwrap()));
        assert!(!finding["detail"].as_str().unwrap().is_empty());
    }
}

#[test]
fn doctor_finds_zones_where_it_is_told_to_look() {
    let zones = crate::support::fake_powercap::FakePowercap::client();
    let root = zones.root().to_str().unwrap();
    let report = json(&outcome(&["doctor", "--json", "--powercap-root", root]).succeeded().stdout);
    assert_eq!(report["measured"], true);
    let report =
        json(&outcome(&["doctor", "--json", "--powercap-root", "/none"]).succeeded().stdout);
    assert_eq!(report["measured"], false);
    let text = report["findings"].to_string();
    assert!(text.contains("/none") && text.contains("intel-rapl"), "{text}");
}

#[test]
fn doctor_does_not_call_a_guests_share_measured() {
    let root = tempfile::tempdir().unwrap();
    for zone in ["intel-rapl:0", "intel-rapl:0:0"] {
        fs::create_dir(root.path().join(zone)).unwrap();
    }
    fs::write(root.path().join("intel-rapl:0/energy_uj"), "7").unwrap();
    let place = root.path().to_str().unwrap();
    let report = json(&outcome(&["doctor", "--json", "--powercap-root", place]).succeeded().stdout);
    assert_eq!(report["measured"], false);
    assert!(report["findings"].to_string().contains("Scaphandre"));
}

#[test]
fn shells_get_completions_without_hidden_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let text = outcome(&["completions", shell]).succeeded().stdout;
        for word in ["energy-prof", "record", "report", "window", "idle-watts"] {
            assert!(text.contains(word), "{shell} lacks {word}");
        }
        assert!(!text.contains("simulate"), "{shell}");
    }
    outcome(&["completions", "cmd.exe"]).refused(2, &["possible values: bash"]);
}

#[test]
fn completions_are_programs_that_their_shell_can_read() {
    let place = Place::new();
    for shell in ["bash", "zsh"] {
        let script = place.root().join(shell);
        fs::write(&script, outcome(&["completions", shell]).succeeded().stdout).unwrap();
        // Only those that are installed can be asked.
        if let Ok(output) = std::process::Command::new(shell).arg("-n").arg(&script).output() {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let place = Place::new();
    let pages = place.root().join("man/man1");
    outcome(&["man", pages.to_str().unwrap()]).succeeded();
    let mut names: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "attribute",
        "calibrate",
        "completions",
        "diff",
        "doctor",
        "emissions",
        "estimate",
        "export",
        "flamegraph",
        "import",
        "man",
        "record",
        "report",
        "stat",
        "symbolize",
    ]
    .map(|command| format!("energy-prof-{command}.1"));
    assert_eq!(names, [&expected[..], &["energy-prof.1".to_owned()]].concat());
    for name in names {
        let page = fs::read_to_string(pages.join(&name)).unwrap();
        assert!(page.contains(".TH") && page.contains(".SH SYNOPSIS"), "{name}");
    }
    let main = outcome(&["man"]).succeeded().stdout;
    assert!(main.contains("Exit codes") && main.contains("127"));
    outcome(&["man", "/proc/none"]).refused(1, &["cannot make the directory /proc/none"]);
}
