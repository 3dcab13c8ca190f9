//! Windows are divided on a thread of their own while those before are added up. They come in order, so
//! that the sums are the same bits as on one thread.

use std::sync::mpsc::sync_channel;
use std::thread;

use super::AnalyzeError;

/// How many windows are handed over at once, and how often before the other side has to catch up.
const TOGETHER: usize = 16;
const WAITING: usize = 4;

/// Hands everything that `divide` gives to `add`, in order, up to the first error.
pub(super) fn divided_ahead<T, I>(
    divide: impl FnOnce() -> Result<I, AnalyzeError> + Send,
    mut add: impl FnMut(T),
) -> Result<(), AnalyzeError>
where
    T: Send,
    I: Iterator<Item = Result<T, AnalyzeError>>,
{
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        scope.spawn(move || {
            // Where nobody listens any more, something has failed there.
            let _ = send_all(divide, |windows| sender.send(windows).is_ok());
        });
        for windows in receiver {
            let windows: Vec<T> = windows?;
            windows.into_iter().for_each(&mut add);
        }
        Ok(())
    })
}

/// Sends what `divide` gives in parcels, the last of which may be an error; `None` where `send` says that
/// nobody listens.
fn send_all<T, I>(
    divide: impl FnOnce() -> Result<I, AnalyzeError>,
    send: impl Fn(Result<Vec<T>, AnalyzeError>) -> bool,
) -> Option<()>
where
    I: Iterator<Item = Result<T, AnalyzeError>>,
{
    let send = |windows| send(windows).then_some(());
    let divided = match divide() {
        Ok(divided) => divided,
        Err(error) => return send(Err(error)),
    };
    let mut parcel = Vec::with_capacity(TOGETHER);
    for window in divided {
        match window {
            Ok(window) => parcel.push(window),
            Err(error) => {
                send(Ok(parcel))?;
                return send(Err(error));
            }
        }
        if parcel.len() == TOGETHER {
            send(Ok(std::mem::replace(&mut parcel, Vec::with_capacity(TOGETHER))))?;
        }
    }
    send(Ok(parcel))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(items: Vec<Result<u32, AnalyzeError>>) -> (Vec<u32>, Result<(), AnalyzeError>) {
        let mut taken = Vec::new();
        let result = divided_ahead(|| Ok(items.into_iter()), |item| taken.push(item));
        (taken, result)
    }

    #[test]
    fn everything_comes_in_order() {
        for count in [0, 1, 15, 16, 17, 1_000] {
            let (taken, result) = given((0..count).map(Ok).collect());
            assert!(result.is_ok());
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_came_before_an_error_is_taken_and_nothing_after_it() {
        let items =
            (0..40).map(|item| if item == 20 { Err(AnalyzeError::NoEnergy) } else { Ok(item) });
        let (taken, result) = given(items.collect());
        assert!(matches!(result, Err(AnalyzeError::NoEnergy)));
        assert_eq!(taken, (0..20).collect::<Vec<_>>());
        let failed = divided_ahead(
            || Err::<std::iter::Empty<Result<u32, AnalyzeError>>, _>(AnalyzeError::NoStacks),
            |_| panic!("there is nothing"),
        );
        assert!(matches!(failed, Err(AnalyzeError::NoStacks)));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_while_dividing_is_not_taken_for_the_end() {
        let items =
            (0..40).map(|item| if item < 20 { Ok(item) } else { panic!("it made no sense") });
        let _ = divided_ahead(|| Ok(items), |_: u32| ());
    }
}
