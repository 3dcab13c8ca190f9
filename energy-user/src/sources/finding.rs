//! What looking for sources found out, for people: `doctor` prints these.

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingState {
    /// It works.
    Ok,
    /// It works in part, or not as well as it could.
    Degraded,
    /// It is not there.
    Missing,
}

/// One thing found out about the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, e.g. `RAPL package-0`.
    pub what: String,
    /// How well it works.
    pub state: FindingState,
    /// What was found, in one sentence.
    pub detail: String,
    /// What would make it better: a command, or whom to ask for what.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(what, FindingState::Ok, detail)
    }

    pub(super) fn degraded(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(what, FindingState::Degraded, detail)
    }

    pub(super) fn missing(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(what, FindingState::Missing, detail)
    }

    pub(super) fn remedied_by(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn new(what: impl Into<String>, state: FindingState, detail: impl Into<String>) -> Self {
        Self { what: what.into(), state, detail: detail.into(), remedy: None }
    }
}
