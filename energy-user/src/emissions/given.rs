//! What somebody said of a site or of a machine, and who did.

use super::figure::Figure;

/// A value that no table has, with who gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<T> {
    /// What was given.
    pub value: T,
    /// Who gave it: [`GIVEN`] on the command line, else a file, or the recording.
    pub by: String,
}

/// Who gave what the command line says.
pub const GIVEN: &str = "given";

/// Who gave what a recording keeps.
pub const RECORDED: &str = "given when it was recorded";

impl<T> From<T> for Given<T> {
    /// On the command line.
    fn from(value: T) -> Self {
        Self { value, by: GIVEN.to_owned() }
    }
}

impl<T> From<Given<T>> for Figure<T> {
    fn from(given: Given<T>) -> Self {
        Self { value: given.value, year: None, source: given.by, covers: None }
    }
}
