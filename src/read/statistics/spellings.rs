//! The spellings of groups by a field with a collation. A group has all records whose values are equal by the collation,
//! and shows the lowest spelling among them.

use super::groups::Groups;
use super::parts::BucketIds;
use memdex_query::value::{Value, ValueRef};
use smallvec::SmallVec;

/// The spellings of one part of the keys of a level.
pub(super) struct Spellings {
    /// The position of the part.
    pub(super) part: usize,
    /// The name of a missing value.
    missing: Value,
    /// By group, the lowest spelling so far. Null for records without a value, unless that has a name.
    lowest: Vec<Value>,
    numbers: Vec<u32>,
}

impl Spellings {
    /// Those of the parts that have spellings.
    pub(super) fn of(parts: &[BucketIds]) -> Vec<Self> {
        let spelled = parts.iter().enumerate().filter(|(_, part)| part.collation.is_some());
        let spelled = spelled.map(|(place, part)| Spellings {
            part: place,
            missing: part.missing(),
            lowest: Vec::new(),
            numbers: Vec::new(),
        });
        spelled.collect()
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.lowest.resize(groups.max(self.lowest.len()), Value::NULL);
    }

    /// Adds a record, given its groups and its values of the part's field.
    pub(super) fn add(&mut self, part: &mut BucketIds, groups: &Groups, of_record: &[u32], values: &[ValueRef<'_>]) {
        let Spellings { missing, lowest, numbers, .. } = self;
        let missing = missing.as_ref();
        let mut spellings: SmallVec<[(u32, ValueRef<'_>); 4]> = match values {
            [] => [(part.of_missing(), missing)].into_iter().collect(),
            _ => values.iter().map(|value| (part.of_value(*value), written(*value, missing))).collect(),
        };
        // The lowest one of each number comes first.
        spellings.sort_unstable();
        spellings.dedup_by_key(|(number, _)| *number);
        for group in of_record {
            groups.take_apart(*group, numbers);
            let number = numbers[self.part];
            let Ok(at) = spellings.binary_search_by_key(&number, |(number, _)| *number) else { continue };
            let (known, spelling) = (&mut lowest[*group as usize], spellings[at].1);
            if known.as_ref().is_null() || spelling < known.as_ref() {
                *known = spelling.to_value();
            }
        }
    }

    pub(super) fn get(&self, group: u32) -> Value {
        self.lowest[group as usize].clone()
    }
}

/// A value as it is written, or the name of a missing one.
fn written<'a>(value: ValueRef<'a>, missing: ValueRef<'a>) -> ValueRef<'a> {
    if value.is_null() { missing } else { value.as_written() }
}
