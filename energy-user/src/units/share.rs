//! A fraction of a whole.

/// A fraction in `0..=1`, checked once.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// `None` outside `0..=1` and for NaN.
    pub fn new(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then_some(Self(fraction))
    }

    /// `part / whole` of two like quantities; `None` where the whole is nothing or less than the part.
    #[expect(clippy::cast_precision_loss, reason = "a ratio is shown to a few digits")]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        (whole > 0 && part <= whole).then(|| Self(part as f64 / whole as f64))
    }

    /// The fraction.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// In hundredths, for showing.
    pub fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_between_none_and_all() {
        assert_eq!(Share::of(1, 4).map(Share::percent), Some(25.0));
        assert_eq!(Share::of(1, 0), None);
        assert_eq!(Share::of(5, 4), None);
        assert_eq!(Share::new(f64::NAN), None);
    }
}
