//! How far the charges of a window may be off because the model that divided it is uncertain.
//!
//! A model's coefficients are wrong in the same way in every window, so their errors must be added
//! up as what they are: directions. Each charge has a vector, in µJ, of how far it moves when each of
//! some independent causes, all of variance 1, moves by one standard deviation. Vectors of several
//! windows and threads are added first; the length of the sum is the standard error.

/// The vectors of the charges of one domain in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doubt {
    causes: usize,
    values: Vec<f64>,
}

impl Doubt {
    /// Adds the vector of the next charge.
    pub(super) fn push(&mut self, vector: &[f64]) {
        self.causes = vector.len();
        self.values.extend_from_slice(vector);
    }

    /// Adds the vectors of `other`, the first of which is of the charge `places[0]`, and so on. Both are
    /// of one model: it is in doubt of all charges or of none.
    pub(super) fn add(&mut self, other: &Self, places: &[usize]) {
        for (of, place) in places.iter().enumerate() {
            let from = place * self.causes;
            let sums = self.values[from..].iter_mut();
            sums.zip(other.of(of)).for_each(|(sum, value)| *sum += value);
        }
    }

    /// All but the first so many.
    pub(super) fn without_first(mut self, charges: usize) -> Self {
        self.values.drain(..charges * self.causes);
        self
    }

    /// The vector of a charge that the model has no part in.
    pub(super) fn nothing(&self) -> Vec<f64> {
        vec![0.0; self.causes]
    }

    /// Whether the model has none about any charge.
    pub fn is_nothing(&self) -> bool {
        self.values.is_empty()
    }

    /// The vector of one charge; empty where the model has no doubt.
    pub fn of(&self, charge: usize) -> &[f64] {
        let from = charge * self.causes;
        self.values.get(from..from + self.causes).unwrap_or_default()
    }

    /// The standard error of one charge in µJ.
    pub fn deviation(&self, charge: usize) -> f64 {
        length(self.of(charge))
    }
}

/// The length of a vector: the standard error in µJ of what it is the vector of.
pub fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_stay_with_their_charges_when_the_first_are_left_out() {
        let mut doubt = Doubt::default();
        for vector in [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]] {
            doubt.push(&vector);
        }
        let rest = doubt.without_first(1);
        assert_eq!((rest.of(0), rest.of(1)), (&[3.0, 4.0][..], &[5.0, 6.0][..]));
        assert_eq!(Doubt::default().without_first(1), Doubt::default());
    }
}
