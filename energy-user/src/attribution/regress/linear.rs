//! Dense linear algebra for some dozens of unknowns: Cholesky's factor, what can be solved with it, and
//! least squares without negative unknowns. The same input gives the same output, bit for bit.
//! Reference: Golub and Van Loan, Matrix Computations, 4th edition (2013), section 4.2.

/// A square matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Square {
    size: usize,
    values: Vec<f64>,
}

impl Square {
    /// All nothing.
    pub(super) fn zero(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    /// How many rows and columns.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) fn get(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    pub(super) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.size + column] += value;
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.size..(row + 1) * self.size]
    }

    /// Adds `scale × a bᵀ`. Much of both may be nothing.
    pub(super) fn add_product(&mut self, scale: f64, a: &[f64], b: &[f64]) {
        for (row, a) in self.values.chunks_exact_mut(self.size).zip(a) {
            let scaled = scale * a;
            if scaled != 0.0 {
                row.iter_mut().zip(b).for_each(|(value, b)| *value += scaled * b);
            }
        }
    }

    /// Adds another of the same size.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.values.iter_mut().zip(&other.values).for_each(|(value, other)| *value += other);
    }

    /// Multiplies all by a number.
    pub(super) fn scale(&mut self, by: f64) {
        self.values.iter_mut().for_each(|value| *value *= by);
    }

    /// Multiplies a row by a number, and the column likewise.
    pub(super) fn scale_line(&mut self, line: usize, by: f64) {
        for other in 0..self.size {
            self.values[line * self.size + other] *= by;
            self.values[other * self.size + line] *= by;
        }
    }

    /// Rows for columns.
    pub(super) fn transposed(&self) -> Self {
        let cells =
            (0..self.size).flat_map(|row| (0..self.size).map(move |column| self.get(column, row)));
        Self { size: self.size, values: cells.collect() }
    }

    /// `self × other`.
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = Self::zero(self.size);
        for row in 0..self.size {
            let target = &mut product.values[row * self.size..(row + 1) * self.size];
            for (factor, other) in self.row(row).iter().zip(other.values.chunks_exact(self.size)) {
                target.iter_mut().zip(other).for_each(|(value, other)| *value += factor * other);
            }
        }
        product
    }

    /// The rows and columns in `kept`, in that order.
    pub(super) fn part(&self, kept: &[usize]) -> Self {
        let cells = kept.iter().flat_map(|row| kept.iter().map(|column| self.get(*row, *column)));
        Self { size: kept.len(), values: cells.collect() }
    }

    /// The lower triangle `L` with `L Lᵀ` this matrix, which is symmetric and has no negative direction.
    /// What rounding makes of directions of no length is made to have hardly any.
    pub(super) fn factor(&self) -> Factor {
        let mut lower = Self::zero(self.size);
        for row in 0..self.size {
            for column in 0..=row {
                let (a, b) = (lower.row(row), lower.row(column));
                let known: f64 = a[..column].iter().zip(&b[..column]).map(|(a, b)| a * b).sum();
                let left = self.get(row, column) - known;
                let value = if row == column {
                    left.max(self.get(row, row).abs() * 1e-13).max(f64::MIN_POSITIVE).sqrt()
                } else {
                    left / lower.get(column, column)
                };
                lower.values[row * self.size + column] = value;
            }
        }
        Factor { lower }
    }
}

/// Cholesky's factor of a matrix.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    lower: Square,
}

impl Factor {
    /// Row by row: a vector for each unknown. Where the matrix is a covariance, these are how far the
    /// unknowns move with independent causes of variance 1.
    pub(super) fn row(&self, row: usize) -> &[f64] {
        self.lower.row(row)
    }

    /// The logarithm of the matrix's determinant.
    pub(super) fn logarithm(&self) -> f64 {
        (0..self.lower.size).map(|row| 2.0 * self.lower.get(row, row).ln()).sum()
    }

    /// The `x` with `matrix × x = right`.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let size = self.lower.size;
        let mut x = right.to_vec();
        for row in 0..size {
            let lower = self.lower.row(row);
            let known: f64 = lower[..row].iter().zip(&x[..row]).map(|(a, b)| a * b).sum();
            x[row] = (x[row] - known) / lower[row];
        }
        for row in (0..size).rev() {
            let known: f64 =
                (row + 1..size).map(|below| self.lower.get(below, row) * x[below]).sum();
            x[row] = (x[row] - known) / self.lower.get(row, row);
        }
        x
    }

    /// The matrix's inverse.
    pub(super) fn inverse(&self) -> Square {
        let size = self.lower.size;
        let mut inverse = Square::zero(size);
        for column in 0..size {
            let mut unit = vec![0.0; size];
            unit[column] = 1.0;
            for (row, value) in self.solve(&unit).into_iter().enumerate() {
                inverse.values[row * size + column] = value;
            }
        }
        inverse
    }
}

/// No more rounds than this are gone: each leaves a hundredth of what is off, or less.
const ROUNDS: usize = 30;

impl Square {
    /// The principal directions of a symmetric matrix, each of length 1, and how far it reaches along them (Jacobi's method;
    /// Golub and Van Loan, section 8.5).
    pub(super) fn principal(mut self) -> Vec<(f64, Vec<f64>)> {
        let size = self.size;
        let mut directions = Self::zero(size);
        (0..size).for_each(|at| directions.add(at, at, 1.0));
        for _ in 0..ROUNDS {
            let cells = (0..size).flat_map(|row| (0..row).map(move |column| (row, column)));
            let off: f64 = cells.clone().map(|(row, column)| self.get(row, column).powi(2)).sum();
            let all: f64 = self.values.iter().map(|value| value * value).sum();
            if off <= 1e-26 * all {
                break;
            }
            for (row, column) in cells {
                let off = self.get(row, column);
                if off == 0.0 {
                    continue;
                }
                let apart = (self.get(column, column) - self.get(row, row)) / (2.0 * off);
                let tangent = apart.signum() / (apart.abs() + apart.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                self.turn_columns(row, column, cosine, sine);
                self.turn_rows(row, column, cosine, sine);
                directions.turn_rows(row, column, cosine, sine);
            }
        }
        (0..size).map(|at| (self.get(at, at), directions.row(at).to_vec())).collect()
    }

    /// Turns two rows into each other.
    fn turn_rows(&mut self, a: usize, b: usize, cosine: f64, sine: f64) {
        for at in 0..self.size {
            let (x, y) = (self.get(a, at), self.get(b, at));
            self.values[a * self.size + at] = cosine * x - sine * y;
            self.values[b * self.size + at] = sine * x + cosine * y;
        }
    }

    fn turn_columns(&mut self, a: usize, b: usize, cosine: f64, sine: f64) {
        for at in 0..self.size {
            let (x, y) = (self.get(at, a), self.get(at, b));
            self.values[at * self.size + a] = cosine * x - sine * y;
            self.values[at * self.size + b] = sine * x + cosine * y;
        }
    }
}

/// The `x` without negative entries among the first `positive` for which `xᵀ A x / 2 − bᵀ x` is least, where `A` is symmetric and
/// has no negative direction.
///
/// Starts with all unknowns free, holds at nothing those that come out negative, and lets go of those
/// that then want to be positive: an active-set method after Lawson and Hanson, Solving Least Squares
/// Problems (1974), chapter 23, as Portugal, Júdice and Vicente (1994) start it.
pub(super) fn non_negative(matrix: &Square, right: &[f64], positive: usize) -> Vec<f64> {
    let size = matrix.size();
    let mut free = vec![true; size];
    let mut x = vec![0.0; size];
    // Blocks of unknowns change sides at first; if that turns in circles, one at a time does not.
    for round in 0..4 * size + 20 {
        let kept: Vec<usize> = (0..size).filter(|index| free[*index]).collect();
        let wanted: Vec<f64> = kept.iter().map(|index| right[*index]).collect();
        x.fill(0.0);
        for (index, value) in kept.iter().zip(matrix.part(&kept).factor().solve(&wanted)) {
            x[*index] = value;
        }
        let slope = |index: usize| -> f64 {
            let row = matrix.row(index).iter().zip(&x);
            right[index] - row.map(|(a, x)| a * x).sum::<f64>()
        };
        let is_wrong = |index: &usize| {
            if free[*index] {
                *index < positive && x[*index] < 0.0
            } else {
                slope(*index) > 1e-9 * right[*index].abs()
            }
        };
        let mut wrong: Vec<usize> = (0..size).filter(is_wrong).collect();
        if wrong.is_empty() {
            return x;
        }
        if round > 10 {
            wrong.drain(..wrong.len() - 1);
        }
        for index in wrong {
            free[index] = !free[index];
        }
    }
    x.iter_mut().take(positive).for_each(|value| *value = value.max(0.0));
    x
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn square(rows: &[&[f64]]) -> Square {
        Square { size: rows.len(), values: rows.concat() }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-6 * (1.0 + a.abs() + b.abs())
    }

    #[test]
    fn two_equations_are_solved_as_by_hand() {
        // 4x + 2y = 10 and 2x + 3y = 11: x = 1, y = 3.
        let matrix = square(&[&[4.0, 2.0], &[2.0, 3.0]]);
        let x = matrix.factor().solve(&[10.0, 11.0]);
        assert!(near(x[0], 1.0) && near(x[1], 3.0), "{x:?}");
        let unit = matrix.times(&matrix.factor().inverse());
        assert!(near(unit.get(0, 0), 1.0) && near(unit.get(0, 1), 0.0));
    }

    #[test]
    fn what_would_be_negative_is_nothing_and_the_rest_makes_up_for_it() {
        // Free, y = −1 and x = 3; without y, 4x = 10.
        let matrix = square(&[&[4.0, 2.0], &[2.0, 3.0]]);
        let x = non_negative(&matrix, &[10.0, 3.0], 2);
        assert!(near(x[0], 2.5) && x[1] == 0.0, "{x:?}");
    }

    proptest! {
        #[test]
        fn principal_directions_make_the_matrix_again(
            cells in proptest::collection::vec(-3.0..3.0f64, 36),
        ) {
            let half = Square { size: 6, values: cells };
            let matrix = half.times(&half.transposed());
            let mut again = Square::zero(6);
            let found = matrix.clone().principal();
            for (index, (reach, direction)) in found.iter().enumerate() {
                again.add_product(*reach, direction, direction);
                for (other, (_, of_other)) in found.iter().enumerate() {
                    let along: f64 = direction.iter().zip(of_other).map(|(a, b)| a * b).sum();
                    prop_assert!(near(along, f64::from(u8::from(index == other))));
                }
            }
            for (found, given) in again.values.iter().zip(&matrix.values) {
                prop_assert!(near(*found, *given), "{} {}", found, given);
            }
        }

        #[test]
        fn nothing_better_is_near(
            rows in prop::collection::vec(prop::collection::vec(-3.0..3.0f64, 4), 4..9),
            wanted in prop::collection::vec(-5.0..5.0f64, 9),
        ) {
            let mut matrix = Square::zero(4);
            let mut right = vec![0.0; 4];
            for (row, wanted) in rows.iter().zip(&wanted) {
                matrix.add_product(1.0, row, row);
                right.iter_mut().zip(row).for_each(|(right, value)| *right += value * wanted);
            }
            (0..4).for_each(|index| matrix.add(index, index, 0.01));
            let x = non_negative(&matrix, &right, 4);
            prop_assert!(x.iter().all(|value| *value >= 0.0));
            for index in 0..4 {
                let row = matrix.row(index).iter().zip(&x);
                let slope = right[index] - row.map(|(a, x)| a * x).sum::<f64>();
                prop_assert!(slope <= 1e-6, "more of {index} would be better");
                prop_assert!(x[index] == 0.0 || slope.abs() <= 1e-6, "less of {index} would be better");
            }
        }
    }
}
