//! A factor with what must be known of it.

/// A factor of a table, or one that was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<T> {
    /// The factor.
    pub value: T,
    /// Of which year it is, where that is known.
    pub year: Option<u16>,
    /// Where it comes from.
    pub source: String,
    /// What it is of, where that needs to be told: `electricity consumed, life cycle`.
    pub covers: Option<String>,
}

impl<T> Figure<T> {
    /// Year, what it covers and source, in brackets' words: `2025, of electricity generated, …`.
    pub fn about(&self) -> String {
        let year = self.year.map(|year| year.to_string());
        let parts = [year, self.covers.clone(), Some(self.source.clone())];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}
