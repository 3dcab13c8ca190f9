//! Noise for tests: the same each time.

/// Numbers of mean 0 and variance 1 that are near to normal: sums of twelve by a generator of Park and Miller.
pub(super) struct Lottery(u64);

impl Lottery {
    pub(super) const fn new() -> Self {
        Self(1)
    }

    pub(super) fn normal(&mut self) -> f64 {
        let sum: f64 = (0..12)
            .map(|_| {
                self.0 = self.0 * 48_271 % 0x7fff_ffff;
                f64::from(u32::try_from(self.0).unwrap()) / f64::from(0x7fff_ffff_u32)
            })
            .sum();
        sum - 6.0
    }
}
