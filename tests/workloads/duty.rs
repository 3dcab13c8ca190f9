//! As duty.c, in Rust.

use std::hint::black_box;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;

#[inline(never)]
fn now() -> u64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

trait Duty {
    fn spin(&self, ns: u64);
}

struct Factor<const F: u64>;

impl<const F: u64> Duty for Factor<F> {
    #[inline(never)]
    fn spin(&self, ns: u64) {
        let until = now() + ns;
        let mut sink = 1_u64;
        loop {
            for _ in 0..20_000 {
                sink = black_box(sink.wrapping_mul(F) + 1);
            }
            if now() >= until {
                return;
            }
        }
    }
}

fn main() {
    let functions: [&dyn Duty; 4] = [&Factor::<3>, &Factor::<5>, &Factor::<7>, &Factor::<8>];
    let milliseconds = std::env::args().nth(1).map_or(1_000, |text| text.parse().unwrap());
    let end = now() + milliseconds * 1_000_000;
    let mut spent = [0_u64; 4];
    let mut chance = 1_u64;
    while now() < end {
        for (index, function) in functions.iter().enumerate() {
            chance = chance.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let began = now();
            function.spin((index as u64 + 1) * (500_000 + (chance >> 33) % 1_000_000));
            spent[index] += now() - began;
        }
    }
    for (name, spent) in ["a", "b", "c", "d"].iter().zip(spent) {
        println!("{name} {spent}");
    }
}
