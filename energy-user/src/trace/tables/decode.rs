//! Arrow columns to Rust values. Nothing a file holds can make this panic: a missing column, another
//! type, a null or an impossible number is an error that names the column.

use std::iter;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, ListArray, PrimitiveArray, RecordBatch,
    StringArray, StructArray,
};
use arrow_schema::{DataType, TimeUnit};

use super::ColumnError;
use crate::model::{Domain, DomainId};
use crate::units::WallTime;

/// The columns of a batch, by name. All have the batch's number of rows.
pub(in crate::trace) struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    /// The columns of `batch`.
    pub(in crate::trace) fn of(batch: &'a RecordBatch) -> Self {
        Self(batch)
    }

    /// How many values each column has.
    pub(super) fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// Integers of any width that fit `N`.
    pub(super) fn integers<N: TryFrom<i64>>(
        &self,
        column: &'static str,
    ) -> Result<Vec<N>, ColumnError> {
        let array = self.column(column)?;
        match array.data_type() {
            // The two types that we write ourselves are read in one go.
            DataType::Int32 if array.null_count() == 0 => whole::<Int32Type, N>(column, array),
            DataType::Int64 if array.null_count() == 0 => whole::<Int64Type, N>(column, array),
            _ => self
                .optional_integers(column)?
                .into_iter()
                .map(|value| value.ok_or(ColumnError::Null(column)))
                .collect(),
        }
    }

    /// The numbers of a column as they are, where it is of this type and none is null.
    pub(super) fn plain<T: ArrowPrimitiveType>(&self, column: &str) -> Option<&'a [T::Native]> {
        let array = self.0.column_by_name(column).filter(|array| array.null_count() == 0)?;
        Some(array.as_any().downcast_ref::<PrimitiveArray<T>>()?.values())
    }

    /// Integers that may be null; all are where the column is missing.
    pub(super) fn optional_integers<N: TryFrom<i64>>(
        &self,
        column: &'static str,
    ) -> Result<Vec<Option<N>>, ColumnError> {
        let Some(array) = self.0.column_by_name(column) else {
            return Ok(self.nulls());
        };
        match array.data_type() {
            DataType::Int8 => widened::<Int8Type, N>(column, array),
            DataType::Int16 => widened::<Int16Type, N>(column, array),
            DataType::Int32 => widened::<Int32Type, N>(column, array),
            DataType::Int64 => widened::<Int64Type, N>(column, array),
            DataType::UInt8 => widened::<UInt8Type, N>(column, array),
            DataType::UInt16 => widened::<UInt16Type, N>(column, array),
            DataType::UInt32 => widened::<UInt32Type, N>(column, array),
            DataType::UInt64 => widened::<UInt64Type, N>(column, array),
            _ => Err(wrong_type(column, array)),
        }
    }

    /// Wall-clock times of any resolution.
    pub(super) fn times(&self, column: &'static str) -> Result<Vec<WallTime>, ColumnError> {
        let array = self.column(column)?;
        let (ticks, nanos_per_tick) = match array.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                (widened::<TimestampNanosecondType, i64>(column, array)?, 1)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                (widened::<TimestampMicrosecondType, i64>(column, array)?, 1_000)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                (widened::<TimestampMillisecondType, i64>(column, array)?, 1_000_000)
            }
            _ => return Err(wrong_type(column, array)),
        };
        ticks
            .into_iter()
            .map(|tick| {
                let tick = tick.ok_or(ColumnError::Null(column))?;
                tick.checked_mul(nanos_per_tick)
                    .map(WallTime::from_epoch_nanos)
                    .ok_or_else(|| impossible(column, &tick))
            })
            .collect()
    }

    /// Text.
    pub(super) fn texts(&self, column: &'static str) -> Result<Vec<&'a str>, ColumnError> {
        self.column(column)?;
        self.optional_texts(column)?
            .into_iter()
            .map(|value| value.ok_or(ColumnError::Null(column)))
            .collect()
    }

    /// Text that may be null; all is where the column is missing.
    pub(super) fn optional_texts(
        &self,
        column: &'static str,
    ) -> Result<Vec<Option<&'a str>>, ColumnError> {
        let Some(array) = self.0.column_by_name(column) else {
            return Ok(self.nulls());
        };
        Ok(strings(column, array)?.iter().collect())
    }

    /// Text of a few different values, each of which is there once.
    pub(super) fn shared_texts(&self, column: &'static str) -> Result<Vec<Arc<str>>, ColumnError> {
        self.made_of_few(column, |text| Ok(Arc::from(text)))
    }

    /// Text of a few known values.
    pub(super) fn parsed<T: FromStr + Clone>(
        &self,
        column: &'static str,
    ) -> Result<Vec<T>, ColumnError> {
        let parse = |text: &str| text.parse().map_err(|_| impossible(column, &format!("{text:?}")));
        self.made_of_few(column, parse)
    }

    /// What `make` makes of text of a few different values.
    pub(super) fn made_of_few<T: Clone>(
        &self,
        column: &'static str,
        make: impl Fn(&'a str) -> Result<T, ColumnError>,
    ) -> Result<Vec<T>, ColumnError> {
        let array = self.column(column)?;
        if let Some(told_apart) = array.as_any().downcast_ref::<DictionaryArray<Int32Type>>() {
            return made_of_each(column, told_apart, make);
        }
        let mut few = Few::default();
        let texts = strings(column, array)?;
        let mut made = Vec::with_capacity(texts.len());
        for text in texts {
            let text = text.ok_or(ColumnError::Null(column))?;
            made.push(few.of(text, || make(text))?);
        }
        Ok(made)
    }

    /// Yes and no.
    pub(super) fn flags(&self, column: &'static str) -> Result<Vec<bool>, ColumnError> {
        let array = self.column(column)?;
        let flags = array
            .as_any()
            .downcast_ref::<BooleanArray>()
            .ok_or_else(|| wrong_type(column, array))?;
        flags.iter().map(|value| value.ok_or(ColumnError::Null(column))).collect()
    }

    /// Lists of structures: the elements of all lists one after the other, as columns of their own,
    /// and how many of them each list has.
    pub(super) fn lists(
        &self,
        column: &'static str,
    ) -> Result<(RecordBatch, Vec<usize>), ColumnError> {
        let array = self.column(column)?;
        let lists =
            array.as_any().downcast_ref::<ListArray>().ok_or_else(|| wrong_type(column, array))?;
        // The elements of a slice begin and end somewhere within all of them.
        let (first, last) = match lists.value_offsets() {
            [first, .., last] => (*first, *last),
            _ => (0, 0),
        };
        let place = |offset: i32| usize::try_from(offset).expect("offsets ascend from 0");
        let elements = lists.values().slice(place(first), place(last) - place(first));
        let elements = elements
            .as_any()
            .downcast_ref::<StructArray>()
            .ok_or_else(|| wrong_type(column, array))?;
        if lists.null_count() > 0 || elements.null_count() > 0 {
            return Err(ColumnError::Null(column));
        }
        let lengths = (0..lists.len()).map(|row| place(lists.value_length(row))).collect();
        Ok((RecordBatch::from(elements), lengths))
    }

    /// The columns `domain`, `socket`, `die` and `core`.
    pub(super) fn domains(&self) -> Result<Vec<DomainId>, ColumnError> {
        let domains = self.parsed::<Domain>("domain")?;
        let sockets = self.optional_integers("socket")?;
        let dies = self.optional_integers("die")?;
        let cores = self.optional_integers("core")?;
        let id = |row: usize| DomainId {
            domain: domains[row],
            socket: sockets[row],
            die: dies[row],
            core: cores[row],
        };
        Ok((0..self.rows()).map(id).collect())
    }

    fn column(&self, column: &'static str) -> Result<&'a ArrayRef, ColumnError> {
        self.0.column_by_name(column).ok_or_else(|| ColumnError::Missing(column.to_owned()))
    }

    fn nulls<T>(&self) -> Vec<Option<T>> {
        iter::repeat_with(|| None).take(self.rows()).collect()
    }
}

/// What `make` makes of each text, where it is told which rows have the same.
fn made_of_each<'a, T: Clone>(
    column: &'static str,
    texts: &'a DictionaryArray<Int32Type>,
    make: impl Fn(&'a str) -> Result<T, ColumnError>,
) -> Result<Vec<T>, ColumnError> {
    if texts.keys().null_count() > 0 {
        return Err(ColumnError::Null(column));
    }
    let different = strings(column, texts.values())?.iter();
    let make = |text: Option<&'a str>| make(text.ok_or(ColumnError::Null(column))?);
    let made: Vec<T> = different.map(make).collect::<Result<_, _>>()?;
    let which = |key: &i32| {
        let made = usize::try_from(*key).ok().and_then(|key| made.get(key));
        made.cloned().ok_or_else(|| impossible(column, key))
    };
    texts.keys().values().iter().map(which).collect()
}

/// What was made of each of a few different texts, which come again and again.
struct Few<'a, T>(Vec<(&'a str, T)>);

impl<T> Default for Few<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T: Clone> Few<'a, T> {
    /// More are not remembered: looking for them would take longer than making them again.
    const MOST: usize = 16;

    /// What is made of `text`.
    fn of<E>(&mut self, text: &'a str, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        // Comparing nothing with nothing takes long where it lies at addresses that are not there.
        let is_text = |known: &str| {
            if text.is_empty() { known.is_empty() } else { known == text }
        };
        if let Some((_, made)) = self.0.iter().find(|(known, _)| is_text(known)) {
            return Ok(made.clone());
        }
        let made = make()?;
        if self.0.len() < Self::MOST {
            self.0.push((text, made.clone()));
        }
        Ok(made)
    }
}

fn strings<'a>(column: &'static str, array: &'a ArrayRef) -> Result<&'a StringArray, ColumnError> {
    array.as_any().downcast_ref::<StringArray>().ok_or_else(|| wrong_type(column, array))
}

/// The numbers of an array that has no nulls.
fn whole<T, N>(column: &'static str, array: &ArrayRef) -> Result<Vec<N>, ColumnError>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64> + Copy + ToString,
    N: TryFrom<i64>,
{
    let numbers = array
        .as_any()
        .downcast_ref::<PrimitiveArray<T>>()
        .ok_or_else(|| wrong_type(column, array))?;
    let mut narrowed = Vec::with_capacity(numbers.len());
    for &number in numbers.values() {
        narrowed.push(N::try_from(number.into()).map_err(|_| impossible(column, &number))?);
    }
    Ok(narrowed)
}

fn widened<T, N>(column: &'static str, array: &ArrayRef) -> Result<Vec<Option<N>>, ColumnError>
where
    T: ArrowPrimitiveType,
    T::Native: TryInto<i64> + Copy + ToString,
    N: TryFrom<i64>,
{
    let numbers = array
        .as_any()
        .downcast_ref::<PrimitiveArray<T>>()
        .ok_or_else(|| wrong_type(column, array))?;
    let fit = |number: T::Native| {
        let fits = number.try_into().ok().and_then(|whole| N::try_from(whole).ok());
        fits.ok_or_else(|| impossible(column, &number))
    };
    match numbers.null_count() {
        0 => numbers.values().iter().map(|number| fit(*number).map(Some)).collect(),
        all if all == numbers.len() => Ok(iter::repeat_with(|| None).take(all).collect()),
        _ => numbers.iter().map(|number| number.map(fit).transpose()).collect(),
    }
}

fn wrong_type(column: &'static str, array: &ArrayRef) -> ColumnError {
    ColumnError::WrongType { column, found: array.data_type().to_string() }
}

fn impossible(column: &'static str, value: &impl ToString) -> ColumnError {
    ColumnError::Impossible { column, value: value.to_string() }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array};

    use super::*;
    use crate::model::Provenance;

    fn batch(column: &str, array: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([(column, array, true)]).unwrap()
    }

    #[test]
    fn an_integer_of_another_width_is_read_as_it_is() {
        let batch = batch("cpu", Arc::new(Int64Array::from(vec![7, 8])));
        assert_eq!(Columns::of(&batch).integers::<u16>("cpu"), Ok(vec![7, 8]));
    }

    #[test]
    fn negative_numbers_nulls_and_other_types_are_errors_that_name_the_column() {
        let negative = batch("cpu", Arc::new(Int32Array::from(vec![-1])));
        let error = Columns::of(&negative).integers::<u16>("cpu").unwrap_err();
        assert_eq!(error.to_string(), "its column cpu has the impossible value -1");

        let null = batch("cpu", Arc::new(Int32Array::from(vec![None])));
        assert_eq!(Columns::of(&null).integers::<u16>("cpu"), Err(ColumnError::Null("cpu")));

        let text = batch("cpu", Arc::new(StringArray::from(vec!["0"])));
        let error = Columns::of(&text).integers::<u16>("cpu").unwrap_err();
        assert_eq!(error.to_string(), "its column cpu is of type Utf8");
    }

    #[test]
    fn texts_that_come_again_are_shared_and_many_different_ones_are_read_too() {
        let texts: Vec<String> = (0..40).map(|number| (number % 25).to_string()).collect();
        let batch = batch("source", Arc::new(StringArray::from(texts.clone())));
        let shared = Columns::of(&batch).shared_texts("source").unwrap();
        assert!(shared.iter().map(ToString::to_string).eq(texts));
        assert!(Arc::ptr_eq(&shared[0], &shared[25]));
        assert_eq!(Columns::of(&batch).parsed::<u32>("source").unwrap()[24..27], [24, 0, 1]);
        let error = Columns::of(&batch).parsed::<bool>("source").unwrap_err();
        assert_eq!(error.to_string(), "its column source has the impossible value \"0\"");
    }

    #[test]
    fn texts_told_apart_are_read_as_texts_are() {
        let texts = ["measured", "estimated", "measured"];
        let told_apart: DictionaryArray<Int32Type> = texts.into_iter().collect();
        let batch = batch("provenance", Arc::new(told_apart));
        let columns = Columns::of(&batch);
        let provenance = columns.parsed::<Provenance>("provenance").unwrap();
        assert_eq!(provenance.iter().map(|kind| kind.name()).collect::<Vec<_>>(), texts);
        let shared = columns.shared_texts("provenance").unwrap();
        assert!(shared.iter().map(AsRef::as_ref).eq(texts));
        assert!(Arc::ptr_eq(&shared[0], &shared[2]));
        let error = columns.parsed::<u32>("provenance").unwrap_err();
        assert_eq!(
            error.to_string(),
            "its column provenance has the impossible value \"measured\""
        );
    }

    #[test]
    fn a_text_that_is_missing_among_those_told_apart_is_an_error_that_names_the_column() {
        let some: DictionaryArray<Int32Type> = [Some("measured"), None].into_iter().collect();
        let batch = batch("source", Arc::new(some));
        let error = Columns::of(&batch).shared_texts("source").unwrap_err();
        assert_eq!(error, ColumnError::Null("source"));
    }

    #[test]
    fn a_missing_column_is_an_error_only_where_it_must_be_there() {
        let batch = batch("cpu", Arc::new(Int32Array::from(vec![1])));
        let columns = Columns::of(&batch);
        assert_eq!(columns.optional_integers::<u16>("die"), Ok(vec![None]));
        assert_eq!(columns.texts("comm"), Err(ColumnError::Missing("comm".to_owned())));
    }
}
