//! A reader of protocol buffers that knows nothing of what is in them.
//! Reference: <https://protobuf.dev/programming-guides/encoding/>, 2024.

use std::collections::BTreeMap;

/// A message: the values of each field, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    numbers: BTreeMap<u64, Vec<u64>>,
    bytes: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Fields {
    /// The message in `bytes`; those of pprof have no other wire types than these two.
    pub(crate) fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            match tag & 7 {
                0 => fields.numbers.entry(tag >> 3).or_default().push(varint(&mut bytes)),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    let (value, rest) = bytes.split_at(length);
                    fields.bytes.entry(tag >> 3).or_default().push(value.to_vec());
                    bytes = rest;
                }
                wire => panic!("wire type {wire}"),
            }
        }
        fields
    }

    /// A field's number; 0 where it is not there, as the format has it.
    pub(crate) fn number(&self, field: u64) -> u64 {
        self.numbers.get(&field).map_or(0, |values| values[0])
    }

    /// A repeated field's numbers, packed or one by one.
    pub(crate) fn numbers(&self, field: u64) -> Vec<u64> {
        let mut numbers = self.numbers.get(&field).cloned().unwrap_or_default();
        for packed in self.bytes.get(&field).into_iter().flatten() {
            let mut rest = &packed[..];
            while !rest.is_empty() {
                numbers.push(varint(&mut rest));
            }
        }
        numbers
    }

    /// A repeated field's messages.
    pub(crate) fn messages(&self, field: u64) -> Vec<Self> {
        self.bytes.get(&field).into_iter().flatten().map(|bytes| Self::read(bytes)).collect()
    }

    /// A repeated field's strings.
    pub(crate) fn strings(&self, field: u64) -> Vec<String> {
        let values = self.bytes.get(&field).into_iter().flatten();
        values.map(|bytes| String::from_utf8(bytes.clone()).unwrap()).collect()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number of more than 64 bits");
}
