//! The arithmetic of counters that begin again at 0: what a turn is, and what a step means.
//!
//! `max_energy_range_uj` is the *highest value* a RAPL counter shows, not the size of a turn: the kernel
//! computes it as `(2^32 − 1) × unit`, scaled to microjoules and rounded down, so a turn is one unit more.
//! Reference: Linux v6.12, `drivers/powercap/intel_rapl_common.c`, `get_max_energy_counter` and
//! `rapl_unit_xlate` (units are whole nanojoules there, e.g. 61 035 for 2⁻¹⁴ J).
//! Taking the highest value for the turn is the "off-by-one wrap modulus" of reference tools.

/// The 32-bit energy status registers of every RAPL interface (MSR, MMIO, TPMI).
const REGISTER_BITS: u32 = 32;

/// The coarsest unit is 1 J (`psys` of Sapphire Rapids); Atoms use 2^n µJ.
const COARSEST_UNIT_NJ: u64 = 1_000_000_000;

/// The DRAM unit of Xeons from Haswell on, fixed in the kernel at 15.3 µJ.
const XEON_DRAM_UNIT_NJ: u64 = 15_300;

/// What a powercap range says about a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Microjoules in a whole turn.
    pub size_uj: u64,
    /// The counter's unit in nanojoules, where the range gives it away.
    pub unit_nj: Option<u64>,
}

/// The turn of a counter whose highest value is `highest_uj`.
///
/// Recognised are the units that the kernel uses with registers of 8 to 32 bits (shorter ones are those
/// of simulated trees). Any other range is taken for a counter of whole microjoules.
pub(super) fn turn_of(highest_uj: u64) -> Turn {
    let units = (0..=20)
        .map(|shift| COARSEST_UNIT_NJ >> shift)
        .chain([XEON_DRAM_UNIT_NJ])
        .chain((0..=10).map(|shift| 1000 << shift));
    for unit_nj in units {
        for bits in (8..=REGISTER_BITS).rev() {
            if highest_shown_uj(unit_nj, bits) == highest_uj {
                let size_uj = scale_uj(1 << bits, unit_nj);
                return Turn { size_uj, unit_nj: Some(unit_nj) };
            }
        }
    }
    Turn { size_uj: highest_uj.saturating_add(1), unit_nj: None }
}

/// The highest value that a register of so many bits shows, in whole microjoules.
pub(super) fn highest_shown_uj(unit_nj: u64, bits: u32) -> u64 {
    scale_uj((1 << bits) - 1, unit_nj)
}

/// A register's value in whole microjoules, rounded down as the kernel does.
pub(super) fn scale_uj(raw: u64, unit_nj: u64) -> u64 {
    raw * unit_nj / 1000
}

/// What happened between two readings of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It went forward by so many microjoules.
    Forward(u64),
    /// It passed its end once and went forward by so many microjoules.
    Wrapped(u64),
    /// It went back, and no wrap explains that: a reset.
    Backwards,
    /// It went further than the hardware can.
    Implausible,
    /// It may have passed its end unseen, so any number of turns may be missing.
    Ambiguous,
}

/// What happened between a reading of `before_uj` and one of `now_uj`.
///
/// `turn_uj` is the size of a turn. `most_uj` is what the hardware can have drawn since the value last
/// moved, and `most_since_reading_uj` since the reading before.
pub(super) fn step(
    before_uj: u64,
    now_uj: u64,
    turn_uj: Option<u64>,
    most_uj: u64,
    most_since_reading_uj: u64,
) -> Step {
    if turn_uj.is_some_and(|turn| most_since_reading_uj >= turn) {
        return Step::Ambiguous;
    }
    if let Some(energy) = now_uj.checked_sub(before_uj) {
        let believable = energy <= most_uj && turn_uj.is_none_or(|turn| now_uj < turn);
        return if believable { Step::Forward(energy) } else { Step::Implausible };
    }
    match turn_uj.and_then(|turn| turn.checked_sub(before_uj)) {
        Some(rest) if rest + now_uj <= most_uj => Step::Wrapped(rest + now_uj),
        _ => Step::Backwards,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_one_unit_more_than_the_highest_value() {
        // 2^32 units of 61.035 µJ; the range is what Xeons and client parts show.
        let package = turn_of(262_143_328_850);
        assert_eq!(package, Turn { size_uj: 262_143_328_911, unit_nj: Some(61_035) });
        // 2^32 units of 15.3 µJ; the range is what Xeons show for dram.
        let dram = turn_of(65_712_999_613);
        assert_eq!(dram, Turn { size_uj: 65_712_999_628, unit_nj: Some(15_300) });
        // 2^32 units of 1 J.
        let psys = turn_of(4_294_967_295_000_000);
        assert_eq!(psys, Turn { size_uj: 4_294_967_296_000_000, unit_nj: Some(1_000_000_000) });
        // AMD: 2^32 units of 2^-16 J, which the kernel holds as 15 258 nJ.
        assert_eq!(turn_of(65_532_610_987).unit_nj, Some(15_258));
    }

    #[test]
    fn an_unknown_range_counts_whole_microjoules() {
        assert_eq!(turn_of(999_999), Turn { size_uj: 1_000_000, unit_nj: None });
    }

    #[test]
    fn a_wrapped_counter_adds_its_turn_once() {
        assert_eq!(step(90, 20, Some(100), 50, 50), Step::Wrapped(30));
        assert_eq!(step(20, 90, Some(100), 80, 80), Step::Forward(70));
    }

    #[test]
    fn a_counter_at_exactly_its_end_shows_nothing_again() {
        assert_eq!(step(99, 0, Some(100), 50, 50), Step::Wrapped(1));
        assert_eq!(step(0, 99, Some(100), 99, 99), Step::Forward(99));
        assert_eq!(step(0, 100, Some(100), 99, 99), Step::Implausible, "never shown");
    }

    #[test]
    fn a_step_back_that_no_wrap_explains_is_a_reset() {
        assert_eq!(step(50, 20, Some(100), 30, 30), Step::Backwards);
        assert_eq!(step(50, 20, None, 1000, 1000), Step::Backwards);
    }

    #[test]
    fn more_than_the_hardware_can_draw_is_not_believed() {
        assert_eq!(step(0, 31, Some(100), 30, 30), Step::Implausible);
    }

    #[test]
    fn a_counter_that_may_have_turned_unseen_says_nothing() {
        assert_eq!(step(10, 20, Some(100), 100, 100), Step::Ambiguous);
    }
}
