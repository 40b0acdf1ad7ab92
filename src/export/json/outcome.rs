//! What was written, in numbers.

use crate::rdb::DataType;
use std::collections::BTreeMap;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct JsonOutcome {
    /// Bytes.
    pub bytes: u64,
    /// Complete lines: those of keys, of expiries and of facts.
    pub lines: u64,
    /// Keys.
    pub keys: u64,
    /// Keys by type, as [`DataType::name`](crate::rdb::DataType::name) has it.
    pub types: BTreeMap<&'static str, u64>,
    /// Expiries of members and fields that KeyDB keeps behind the key.
    pub sub_expiries: u64,
    /// Lines about the file.
    pub facts: u64,
    /// Keys whose line was given up.
    pub given_up: u64,
}

/// What is counted on the way.
#[derive(Default)]
pub(super) struct Counts {
    keys: [u64; 9],
    pub(super) sub_expiries: u64,
    pub(super) facts: u64,
    pub(super) given_up: u64,
}

impl Counts {
    #[inline(always)]
    pub(super) fn key(&mut self, data: DataType) {
        if let Some(keys) = self.keys.get_mut(data as usize) {
            *keys += 1;
        }
    }

    pub(super) fn outcome(&self, bytes: u64, lines: u64) -> JsonOutcome {
        let types = DataType::ALL.iter().zip(self.keys).filter(|(_, keys)| *keys > 0);
        JsonOutcome {
            bytes,
            lines,
            keys: self.keys.iter().sum(),
            types: types.map(|(data, keys)| (data.name(), keys)).collect(),
            sub_expiries: self.sub_expiries,
            facts: self.facts,
            given_up: self.given_up,
        }
    }
}
