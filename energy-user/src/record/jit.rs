//! The variables that make JIT compilers and interpreters write down where their functions are.

use std::ffi::OsString;

/// Each variable, what it gets, and whether that is added to what is there.
const VARIABLES: [(&str, &str, Added); 4] = [
    ("NODE_OPTIONS", "--perf-basic-prof --interpreted-frames-native-stack", Added::Behind),
    ("PYTHONPERFSUPPORT", "1", Added::Instead),
    ("DOTNET_PerfMapEnabled", "1", Added::Instead),
    // Java before 17 would not start for an option that it does not know, and later ones not for a
    // diagnostic option that is not unlocked before.
    (
        "JAVA_TOOL_OPTIONS",
        "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions \
         -XX:+PreserveFramePointer -XX:+DumpPerfMapAtExit",
        Added::Behind,
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    Behind,
    Instead,
}

/// The variables for Node.js, Python, .NET and Java, where `current` gives what is set already.
pub fn jit_environment(
    current: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, OsString)> {
    let variables = VARIABLES.into_iter().map(|(name, value, added)| {
        let before = current(name).filter(|before| added == Added::Behind && !before.is_empty());
        let value = before.map_or_else(
            || value.into(),
            |mut before| {
                before.push(" ");
                before.push(value);
                before
            },
        );
        (name, value)
    });
    variables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_there_are_kept_and_switches_are_set() {
        let current = |name: &str| match name {
            "NODE_OPTIONS" => Some("--max-old-space-size=99".into()),
            "PYTHONPERFSUPPORT" => Some("0".into()),
            "JAVA_TOOL_OPTIONS" => Some(OsString::new()),
            _ => None,
        };
        let set = jit_environment(current);
        assert_eq!(
            set[0].1,
            "--max-old-space-size=99 --perf-basic-prof --interpreted-frames-native-stack"
        );
        assert_eq!(set[1], ("PYTHONPERFSUPPORT", "1".into()));
        assert!(set[3].1.to_str().unwrap().starts_with("-XX:"));
    }
}
