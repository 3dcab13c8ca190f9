//! Where figures come from, in words.

use super::tables::SOURCES;

/// A source of figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Who published it, and where it was read.
    pub title: String,
    /// Under which licence.
    pub licence: String,
    /// What a grid's figure from it covers.
    pub covers: Option<String>,
}

/// The source of a code in the tables; several are joined by `+`.
pub fn cite(code: &str) -> Citation {
    let known = |code: &str| SOURCES.iter().find(|source| source.code == code);
    let sources: Vec<_> = code.split('+').filter_map(known).collect();
    let join = |parts: Vec<&str>| parts.join("; ");
    let Some(first) = sources.first() else {
        return Citation { title: code.to_owned(), licence: "not known".to_owned(), covers: None };
    };
    let flow = first.flow.as_deref().map(|flow| match flow {
        "consumption" => "electricity consumed there",
        _ => "electricity generated there",
    });
    let scope = first.scope.as_deref().map(|scope| match scope {
        "combustion" => "combustion only",
        _ => "life cycle",
    });
    let covers: Vec<&str> = flow.into_iter().chain(scope).collect();
    Citation {
        title: join(sources.iter().map(|source| source.title.as_str()).collect()),
        licence: join(sources.iter().map(|source| source.licence.as_str()).collect()),
        covers: (!covers.is_empty()).then(|| covers.join(", ")),
    }
}
