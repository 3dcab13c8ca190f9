//! Rust values to Arrow columns. The columns are signed, because Spark knows no unsigned ones.

use std::fmt::Display;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, ListArray, PrimitiveArray, StringArray,
    StructArray, TimestampMicrosecondArray,
    types::{Int32Type, Int64Type},
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use super::ColumnError;
use crate::model::DomainId;
use crate::units::WallTime;

/// The time zone of every timestamp.
const UTC: &str = "UTC";

/// A schema from `(name, type, nullable)`.
pub(super) fn schema_of(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable))
        .collect();
    Arc::new(Schema::new(fields))
}

/// The type of a wall-clock column.
pub(super) fn utc_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// A column of 32-bit numbers.
pub(super) fn int32<N>(
    column: &'static str,
    numbers: impl Iterator<Item = N>,
) -> Result<ArrayRef, ColumnError>
where
    N: TryInto<i32> + Copy + Display,
{
    primitive::<Int32Type, N>(column, numbers)
}

/// A column of 64-bit numbers.
pub(super) fn int64<N>(
    column: &'static str,
    numbers: impl Iterator<Item = N>,
) -> Result<ArrayRef, ColumnError>
where
    N: TryInto<i64> + Copy + Display,
{
    primitive::<Int64Type, N>(column, numbers)
}

/// A column of 32-bit numbers, some of them unknown.
pub(super) fn optional_int32<N>(
    column: &'static str,
    numbers: impl Iterator<Item = Option<N>>,
) -> Result<ArrayRef, ColumnError>
where
    N: TryInto<i32> + Copy + Display,
{
    optional_primitive::<Int32Type, N>(column, numbers)
}

/// A column of 64-bit numbers, some of them unknown.
pub(super) fn optional_int64<N>(
    column: &'static str,
    numbers: impl Iterator<Item = Option<N>>,
) -> Result<ArrayRef, ColumnError>
where
    N: TryInto<i64> + Copy + Display,
{
    optional_primitive::<Int64Type, N>(column, numbers)
}

/// A column of wall-clock times, cut to whole microseconds: Spark cannot read nanoseconds.
pub(super) fn utc(times: impl Iterator<Item = WallTime>) -> ArrayRef {
    let micros = times.map(|time| time.epoch_nanos().div_euclid(1000));
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone(UTC))
}

/// A column of text.
pub(super) fn text<S: AsRef<str>>(texts: impl Iterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

/// A column of text, some of it unknown.
pub(super) fn optional_text<S: AsRef<str>>(texts: impl Iterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}

/// A column of yes and no.
pub(super) fn flag(flags: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(flags.map(Some).collect::<BooleanArray>())
}

/// A column of lists: `columns` has the elements of all lists one after the other, and each list
/// takes the next of `lengths`. Neither lists nor elements are null.
pub(super) fn list(
    column: &'static str,
    element: Fields,
    columns: Vec<ArrayRef>,
    lengths: impl Iterator<Item = usize> + Clone,
) -> Result<ArrayRef, ColumnError> {
    let all: usize = lengths.clone().sum();
    if i32::try_from(all).is_err() {
        return Err(ColumnError::TooLarge { column, value: format!("{all} elements in all") });
    }
    let field = Field::new("element", DataType::Struct(element.clone()), false);
    let elements = StructArray::new(element, columns, None);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::new(Arc::new(field), offsets, Arc::new(elements), None)))
}

/// The columns `domain`, `socket`, `die` and `core`.
pub(super) fn domains<'a>(
    ids: impl Iterator<Item = &'a DomainId> + Clone,
) -> Result<[ArrayRef; 4], ColumnError> {
    Ok([
        text(ids.clone().map(|id| id.domain.name())),
        optional_int32("socket", ids.clone().map(|id| id.socket))?,
        optional_int32("die", ids.clone().map(|id| id.die))?,
        optional_int32("core", ids.map(|id| id.core))?,
    ])
}

fn primitive<T, N>(
    column: &'static str,
    numbers: impl Iterator<Item = N>,
) -> Result<ArrayRef, ColumnError>
where
    T: ArrowPrimitiveType,
    N: TryInto<T::Native> + Copy + Display,
    PrimitiveArray<T>: Array + From<Vec<T::Native>>,
{
    let values: Vec<T::Native> =
        numbers.map(|number| narrow(column, number)).collect::<Result<_, _>>()?;
    Ok(Arc::new(PrimitiveArray::<T>::from(values)))
}

fn optional_primitive<T, N>(
    column: &'static str,
    numbers: impl Iterator<Item = Option<N>>,
) -> Result<ArrayRef, ColumnError>
where
    T: ArrowPrimitiveType,
    N: TryInto<T::Native> + Copy + Display,
    PrimitiveArray<T>: Array + From<Vec<Option<T::Native>>>,
{
    let values: Vec<Option<T::Native>> = numbers
        .map(|number| number.map(|number| narrow(column, number)).transpose())
        .collect::<Result<_, _>>()?;
    Ok(Arc::new(PrimitiveArray::<T>::from(values)))
}

fn narrow<N: TryInto<M> + Copy + Display, M>(
    column: &'static str,
    number: N,
) -> Result<M, ColumnError> {
    number.try_into().map_err(|_| ColumnError::TooLarge { column, value: number.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beyond_the_columns_type_is_refused_and_not_wrapped() {
        let error = int32("window", [1_u32, 3_000_000_000].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "3000000000 is too large for the column window");
        assert!(int64("energy_uj", [u64::MAX].into_iter()).is_err());
    }
}
