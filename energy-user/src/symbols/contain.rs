//! Panics of libraries that read files of strangers: held off, and kept quiet. They say nothing a user
//! could act on; what they mean for names is said elsewhere.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; `None` where it panicked. Whatever it changed may be changed by half then and
/// must not be used again.
pub(super) fn contained<R>(work: impl FnOnce() -> R) -> Option<R> {
    keep_quiet();
    CONTAINED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    CONTAINED.set(false);
    done
}

fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                others(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_where_it_is_contained() {
        assert_eq!(contained(|| 7), Some(7));
        assert_eq!(contained(|| panic!("quietly")), None::<()>);
        assert!(!CONTAINED.get());
    }
}
