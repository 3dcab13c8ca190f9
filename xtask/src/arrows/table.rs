//! The architecture: which module stands on which, and who owns which foreign crate.

/// The library's modules from left to right. A module may import those of the levels before its
/// own, and none of its own level but itself.
const LEVELS: &[&[&str]] = &[
    &["units"],
    &["model"],
    &["sources", "probes", "trace", "symbols", "attribution", "emissions"],
    &["profile"],
    &["record", "calibrate", "import", "analyze", "estimate", "export", "report", "serve"],
];

/// Foreign crates, and the files or folders that may name them. What is not listed is anyone's.
const OWNERS: &[(&str, &[&str])] = &[
    ("arrow", &["trace"]),
    ("arrow_array", &["trace"]),
    ("arrow_buffer", &["trace"]),
    ("arrow_schema", &["trace"]),
    ("parquet", &["trace"]),
    ("aya", &["probes"]),
    ("aya_log", &["probes"]),
    ("btf_rs", &["probes"]),
    ("blazesym", &["symbols"]),
    ("framehop", &["symbols"]),
    ("gimli", &["symbols"]),
    ("object", &["symbols"]),
    ("nvml_wrapper", &["sources/nvml.rs", "sources/nvml"]),
    ("inferno", &["export"]),
    ("toml", &["emissions/site_file.rs"]),
    ("ureq", &["symbols/debuginfod.rs", "emissions/electricity_maps/client.rs"]),
    ("clap", &["bin/energy-prof/cli.rs", "bin/energy-prof/cli"]),
    ("clap_complete", &["bin/energy-prof/cli.rs", "bin/energy-prof/commands/completions.rs"]),
    ("clap_mangen", &["bin/energy-prof/cli.rs", "bin/energy-prof/commands/man.rs"]),
];

/// What to do about a module without a place.
pub(super) const ADVICE: &str = "give it one in xtask/src/arrows/table.rs";

/// How far to the right a module of the library stands, if it has a place.
pub(super) fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|level| level.contains(&module))
}

/// The only files or folders that may name a foreign crate, if it has an owner.
pub(super) fn owners(name: &str) -> Option<&'static [&'static str]> {
    OWNERS.iter().find(|(owned, _)| *owned == name).map(|(_, owners)| *owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_siblings_stand_on_one_level() {
        assert_eq!(level("trace"), level("probes"));
        assert_eq!(level("trace"), level("attribution"));
    }

    #[test]
    fn every_module_has_one_place() {
        let mut modules: Vec<&str> = LEVELS.concat();
        let all = modules.len();
        modules.sort_unstable();
        modules.dedup();
        assert_eq!(modules.len(), all);
    }

    #[test]
    fn an_unlisted_crate_has_no_owner() {
        assert_eq!(owners("serde"), None);
        assert_eq!(owners("parquet"), Some(&["trace"][..]));
    }
}
